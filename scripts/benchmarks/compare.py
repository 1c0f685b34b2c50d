"""Times permavg and its peers in turns, and prints how they compare; scripts/benchmark.sh starts it.

Every figure is the median over fresh processes, ours and the peer's one after the other (A B A B …), of the
median that each process measured. A ratio is the peer's time over ours: above 1 permavg is faster. Targets are what
the project aims at on two cores; a ratio that misses one is marked by ✗.

What others on the machine used of its cores meanwhile is shown for each case. Where a case wants all cores and
others use them, its ratio says little (PyTorch's threads wait for each other in loops and lose a time slice a
product, ours take what is left) and is marked with a question mark.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NARROW, DEEP = "784-512-10", "784-512-512-512-10"
# With the batches of a quick run, and the ratio that is asked for.
CONVOLUTIONAL = [("lenet5", 20, 1.5), ("cnn", 12, 1.5), ("resnet20", 4, 1.5), ("vgg11bn", 2, 1.8)]


@dataclass
class Case:
    """One row: what `ours` measured under one row's name against what `peer` did under another's."""

    what: str
    ours: list
    peer: list
    row: str
    peer_row: str
    # The ratio is at least this, or, for `at_most`, at most.
    target: float
    threads: int = 1
    processes: int = 1
    at_most: bool = False
    # Both computed the same if their results differ by no more than this share.
    same_result: float | None = None
    # Given in the table for the peer's name.
    peer_name: str = "PyTorch"
    own_times: list = field(default_factory=list)
    peer_times: list = field(default_factory=list)
    others: float = 0

    @property
    def ratio(self):
        ours, peer = statistics.median(self.own_times), statistics.median(self.peer_times)
        return ours / peer if self.at_most else peer / ours

    @property
    def is_disturbed(self):
        return self.others > 0.1 and max(self.threads, self.processes) >= os.cpu_count()

    @property
    def is_met(self):
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


class Machine:
    """Starts processes, and keeps account of what others used of the cores meanwhile."""

    def __init__(self, permavg):
        self.permavg = permavg
        self.environment = {}
        self.own_seconds = self.others_seconds = 0.0

    def run(self, command, threads):
        """The report that a command prints as JSON."""
        count = str(threads)
        variables = {name: count for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]}
        start, busy, own = time.monotonic(), self.busy_seconds(), self.child_seconds()
        done = subprocess.run(command, env=os.environ | variables, stdout=subprocess.PIPE, timeout=900)
        if done.returncode != 0:
            sys.exit(f"error: status {done.returncode} of {' '.join(command)}")
        self.own_seconds += time.monotonic() - start
        used = self.busy_seconds() - busy - (self.child_seconds() - own)
        self.others_seconds += max(used, 0)
        report = json.loads(done.stdout)
        self.environment |= {
            key: value for key, value in report["environment"].items() if key not in ("threads", "loadAverage")
        }
        return {entry["name"]: entry for entry in report["rows"]}

    def ours(self, arguments, threads, ranks=1):
        launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
        command = [self.permavg, "benchmark", *arguments, "--threads", str(threads), "--json"]
        return self.run(launcher + command, threads)

    def peer(self, arguments, threads):
        command = [sys.executable, str(ROOT / "scripts/benchmarks/peers.py"), *arguments]
        return self.run(command + ["--threads", str(threads), "--json"], threads)

    @staticmethod
    def child_seconds():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    @staticmethod
    def busy_seconds():
        """What all processes have used of all cores since the machine started."""
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        user, nice, system, _, _, irq, softirq = fields[:7]
        return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def slowest(rows, name):
    """The time of a row, or of the slowest of several ranks' rows."""
    times = [row["seconds"] for key, row in rows.items() if key == name or key.endswith(f": {name}")]
    return max(times)


def cases(quick, folder):
    """Everything that is compared, as far as the machine has cores for it."""
    repeats = "2" if quick else "3"
    cores = os.cpu_count()
    for architecture in [NARROW, DEEP]:
        for batch in [128, 512]:
            for threads in [1, 2]:
                count = (6 if quick else 40) * 512 // batch
                options = ["--architecture", architecture, "--batch-size", str(batch)]
                options += ["--batches", str(count), "--repeats", repeats]
                yield Case(
                    f"training {architecture}, batch {batch}, {threads} thread{'s' * (threads > 1)}: epoch",
                    ["training", *options], ["training", *options], "epoch", "epoch", 1.25, threads,
                )
    for architecture, batches, target in CONVOLUTIONAL:
        for threads in [1, 2]:
            count = str(batches if quick else 4 * batches)
            options = ["--architecture", architecture, "--batch-size", "128", "--batches", count]
            options += ["--repeats", repeats]
            yield Case(
                f"training {architecture}, batch 128, {threads} thread{'s' * (threads > 1)}: epoch",
                ["training", *options], ["training", *options], "epoch", "epoch", target, threads,
            )
    if cores >= 2:
        options = ["--batches", "20" if quick else "118", "--repeats", repeats]
        yield Case(
            "training, two processes at once: epoch of the slower", ["training", *options],
            ["training", "--processes", "2", *options], "epoch", "epoch", 1.25,
            processes=2,
        )
    # The peer's steps cost the same all the way; ours do not, so the clock starts later.
    ours = ["merging", "--batches", "10" if quick else "118", "--warm-up", "8" if quick else "4"]
    ours += ["--repeats", repeats]
    peer = ["merging", "--batches", "4" if quick else "20", "--repeats", repeats]
    yield Case(
        "merging M = 3, 2 threads: step", ours, peer, "step, M = 3", "step, M = 3", 30.0, 2,
        peer_name="thesis, PyTorch",
    )
    few = ["merging", "--batches", "10" if quick else "40", "--repeats", repeats]
    # Each member but the first has a matrix: 15 against 2.
    yield Case(
        "merging M = 16 against M = 3, 2 threads: step", few + ["--members", "16"], few, "step, M = 16",
        "step, M = 3", 7, 2, at_most=True, peer_name="permavg M = 3",
    )
    for matrix in sorted(path.stem for path in folder.glob("*.safetensors")):
        options = ["kernels", "--filter", f"assignment {matrix}", "--repeats", repeats]
        yield Case(
            f"assignment {matrix}", options, ["assignment", str(folder), "--only", matrix, "--repeats", repeats],
            f"assignment {matrix}", f"assignment {matrix}", 1.0, same_result=1e-6, peer_name="SciPy or lapx",
        )
    for members in [3] if quick else [3, 16]:
        options = ["inference", "--members", str(members), "--repeats", repeats]
        yield Case(
            f"inference: one merged network against M = {members}", options, options, "merged network",
            f"ensemble, M = {members}", 0.95 * members, peer_name="the ensemble",
        )


def measure(case, machine, rounds):
    start_own, start_others = machine.own_seconds, machine.others_seconds
    for _ in range(rounds):
        ours = machine.ours(case.ours, case.threads, case.processes)
        case.own_times.append(slowest(ours, case.row))
        if case.peer is case.ours:
            peer = ours
        elif case.peer_name.startswith("permavg"):
            peer = machine.ours(case.peer, case.threads)
        else:
            peer = machine.peer(case.peer, case.threads)
        if case.same_result:
            # Of several libraries, the faster.
            peer = {k: v for k, v in peer.items() if k.startswith(case.peer_row)}
            best = min(peer.values(), key=lambda entry: entry["seconds"])
            case.peer_name = best["name"].split(", ")[1]
            peer = {case.peer_row: best}
            expected, found = best["result"], ours[case.row]["result"]
            if abs(found - expected) > case.same_result * abs(expected):
                sys.exit(f"error: {case.what}: permavg found {found}, {case.peer_name} {expected}")
        case.peer_times.append(slowest(peer, case.peer_row))
    case.others = (machine.others_seconds - start_others) / (machine.own_seconds - start_own)


def readable(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


def line(cells):
    what, ours, peer, name, ratio, target, others = cells
    return f"{what:62} {ours:>10} {peer:>10}  {name:16} {ratio:>6} {target:>9} {others:>8}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", nargs="?", type=Path, help="file for the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and batches")
    parser.add_argument("--permavg", default=str(ROOT / ".build/release/permavg"))
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    arguments = parser.parse_args()

    machine = Machine(arguments.permavg)
    load = os.getloadavg()[0]
    folder = ROOT / ".build-benchmark/matrices"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [arguments.permavg, "benchmark", "kernels", "--filter", "nothing", "--save-matrices", folder],
        check=True, stdout=subprocess.DEVNULL,
    )
    header = line(["what", "ours", "peer", "peer's name", "ratio", "target", "others"])
    print(header, "─" * len(header), sep="\n", flush=True)
    done = []
    for case in cases(arguments.quick, folder):
        if arguments.only not in case.what:
            continue
        measure(case, machine, 2 if arguments.quick else 3)
        done.append(case)
        verdict = "?" if case.is_disturbed else "✓" if case.is_met else "✗"
        target = f"{'≤' if case.at_most else '≥'} {case.target:g} {verdict}"
        times = [readable(statistics.median(times)) for times in (case.own_times, case.peer_times)]
        print(
            line([case.what, *times, case.peer_name, f"{case.ratio:.2f}", target, f"{case.others:.0%}"]),
            flush=True,
        )
    print("\nothers: what other processes used meanwhile, in shares of one core")
    environment = machine.environment | {"loadAverage": load}
    print("\n".join(f"{key}: {value}" for key, value in environment.items()))
    if arguments.output:
        rows = [
            {
                "what": case.what, "ours": case.own_times, "peer": case.peer_times, "peerName": case.peer_name,
                "ratio": case.ratio, "target": case.target, "targetIsUpperBound": case.at_most,
                "isMet": case.is_met, "threads": case.threads, "processes": case.processes, "others": case.others,
                "isDisturbed": case.is_disturbed,
            }
            for case in done
        ]
        text = json.dumps({"environment": environment, "quick": arguments.quick, "rows": rows}, indent=2)
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
