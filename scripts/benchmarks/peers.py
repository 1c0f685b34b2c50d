"""What `permavg benchmark` times, done with PyTorch, SciPy and lapx, as a user would write it to be fast.

    python scripts/benchmarks/peers.py training --threads 2 --batch-size 512 --architecture 784-512-10
    python scripts/benchmarks/peers.py training --processes 2
    python scripts/benchmarks/peers.py merging --members 3
    permavg benchmark kernels --save-matrices DIR && python scripts/benchmarks/peers.py assignment DIR

prints a table, or with `--json` the same object as `permavg benchmark --json`. Times are counted as there: an
epoch's order and augmentation count, reading and normalising the data set do not.

    pip install torch==2.13.0 numpy scipy lapx safetensors
"""

import argparse
import gzip
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--threads", type=int, default=1)
    common.add_argument("--repeats", type=int, default=5)
    common.add_argument("--json", action="store_true")
    learning = argparse.ArgumentParser(add_help=False)
    learning.add_argument("--warm-up", type=int, default=1, help="epochs before those that are timed")
    learning.add_argument("--batch-size", type=int, default=512)
    learning.add_argument("--architecture", default="784-512-10")
    learning.add_argument("--batches", type=int, help="batches of an epoch that are timed; default all")
    learning.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("training", parents=[common, learning])
    training.add_argument("--processes", type=int, default=1, help="as many at once, each for itself")
    merging = commands.add_parser("merging", parents=[common, learning])
    merging.add_argument("--members", type=int, default=3)
    assignment = commands.add_parser("assignment", parents=[common])
    assignment.add_argument("folder", type=Path)
    assignment.add_argument("--only", default="*", help="name of the one matrix to solve; default all")
    return parser.parse_args()


# MARK: Timing, as Sources/Experiments/Benchmarks/Timing.swift does it


def row(name, seconds, amount, unit, result=None):
    median = statistics.median(seconds)
    made = {"name": name, "seconds": median, "minimum": min(seconds), "repeats": len(seconds)}
    made |= {"rate": amount / median, "unit": unit}
    return made if result is None else made | {"result": result}


def epoch_times(ends, timed, of_all, warm_up):
    """An epoch's order falls between two epochs' batches and is counted once; short epochs are scaled up."""
    times = []
    for first in range(warm_up * timed, len(ends), timed):
        opening = ends[first] - ends[first - 1]
        step = (ends[first + timed - 1] - ends[first]) / (timed - 1) if timed > 1 else opening
        times.append(opening + step * (of_all - 1))
    return times


def step_times(ends, timed, warm_up):
    counted = (i for i in range(warm_up * timed, len(ends)) if timed < 3 or 0 < i % timed < timed - 1)
    return [ends[i] - ends[i - 1] for i in counted]


# MARK: Data


def read_idx(path):
    import numpy as np

    compressed = Path(f"{path}.gz")
    data = gzip.decompress(compressed.read_bytes()) if compressed.exists() else path.read_bytes()
    dimensions = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(dimensions)).reshape(dimensions)


class Images:
    """The training images as normalised floats in memory, each also mirrored: a flip is another index."""

    def __init__(self, folder, batch_size):
        import torch

        pixels = torch.from_numpy(read_idx(Path(folder) / "train-images-idx3-ubyte").copy())
        images = (pixels.float() / 255 - 0.5) / 0.5
        self.count = len(images)
        self.batch_size = batch_size
        self.views = torch.cat([images, images.flip(2)]).reshape(2 * self.count, -1)
        self.labels = torch.from_numpy(read_idx(Path(folder) / "train-labels-idx1-ubyte").copy()).long()
        self.batches = (self.count + batch_size - 1) // batch_size

    def epoch(self, timed):
        """The epoch's first batches, in random order and flipped with probability one half."""
        import torch

        order = torch.randperm(self.count)
        views = order + self.count * torch.randint(2, (self.count,))
        for start in range(0, timed * self.batch_size, self.batch_size):
            chosen = slice(start, start + self.batch_size)
            yield self.views.index_select(0, views[chosen]), self.labels.index_select(0, order[chosen])


def perceptron(widths):
    import torch

    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def make_sgd(model, rate=0.1):
    import torch

    return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=1e-5, fused=True)


# MARK: Training


def convolutional(architecture):
    """A network of scripts/references/convolutional.py, its images' channels side by side, which PyTorch is fastest with."""
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "references"))
    from convolutional import family

    model = family(architecture).to(memory_format=torch.channels_last)

    def run(inputs):
        return model(inputs.view(-1, 1, 28, 28).contiguous(memory_format=torch.channels_last))

    run.parameters = model.parameters
    return run


def training(arguments, barrier=None):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    images = Images(arguments.data, arguments.batch_size)
    if arguments.architecture[0].isdigit():
        model = perceptron([int(width) for width in arguments.architecture.split("-")])
    else:
        model = convolutional(arguments.architecture)
    optimizer = make_sgd(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    timed = min(arguments.batches or images.batches, images.batches)
    if barrier:
        barrier.wait()
    ends, loss_sum = [], 0.0
    for _ in range(arguments.warm_up + arguments.repeats):
        loss_sum = 0.0
        for inputs, labels in images.epoch(timed):
            loss = F.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item() * len(labels)
            ends.append(time.perf_counter())
    seen = min(timed * arguments.batch_size, images.count)
    epochs = epoch_times(ends, timed, images.batches, arguments.warm_up)
    steps = step_times(ends, timed, arguments.warm_up)
    return [
        row("epoch", epochs, images.count, "images/s", loss_sum / seen),
        row("step", steps, arguments.batch_size, "images/s"),
    ]


def training_rank(arguments, barrier, queue, rank):
    queue.put((rank, training(arguments, barrier)))


def training_processes(arguments):
    """Several trainings at once, as `mpirun -n 2 permavg benchmark training` does."""
    if arguments.processes == 1:
        return training(arguments)
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(arguments.processes), context.Queue()
    ranks = [
        context.Process(target=training_rank, args=(arguments, barrier, queue, rank))
        for rank in range(arguments.processes)
    ]
    for process in ranks:
        process.start()
    reports = sorted(queue.get(timeout=600) for _ in ranks)
    for process in ranks:
        process.join()
    return [entry | {"name": f"rank {rank}: {entry['name']}"} for rank, rows in reports for entry in rows]


# MARK: Merging


class ThesisPermAVG:
    """PermAVG as its thesis defines it: the activations of every member are permuted, then averaged.

    out_l = Σ_m 1/M P_{m,l} (W_{m,l} P_{m,l−1}ᵀ h + b_{m,l}) with P = Sinkhorn(exp(X/τ) + ε), X starting as the
    identity, τ = 1 and ε = 10⁻³; 100 normalisations of rows and columns, which autograd goes back through.
    Member 0, the inputs and the output layer keep the identity, and no product is spent on that.
    """

    def __init__(self, members, widths):
        import torch

        self.members = [
            [(layer.weight.detach(), layer.bias.detach()) for layer in member if hasattr(layer, "weight")]
            for member in members
        ]
        self.layers = len(widths) - 1
        self.logits = {
            (member, layer): torch.eye(widths[layer + 1]).requires_grad_()
            for member in range(1, len(members))
            for layer in range(self.layers - 1)
        }

    @staticmethod
    def sinkhorn(x):
        p = x.exp() + 1e-3
        for _ in range(100):
            p = p / p.sum(dim=1, keepdim=True)
            p = p / p.sum(dim=0, keepdim=True)
        return p

    def __call__(self, inputs):
        soft = {key: self.sinkhorn(x) for key, x in self.logits.items()}
        h = inputs
        for layer in range(self.layers):
            total = 0
            for number, member in enumerate(self.members):
                weight, bias = member[layer]
                before, after = soft.get((number, layer - 1)), soft.get((number, layer))
                # Activations are rows here: P applied to them is h Pᵀ.
                own = h if before is None else h @ before
                own = own @ weight.T + bias
                total = total + (own if after is None else own @ after.T) / len(self.members)
            h = total.relu() if layer < self.layers - 1 else total
        return h


def merging(arguments):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    widths = [int(width) for width in arguments.architecture.split("-")]
    images = Images(arguments.data, arguments.batch_size)
    members = [perceptron(widths) for _ in range(arguments.members)]
    for member in members:
        optimizer = make_sgd(member)
        for inputs, labels in images.epoch(min(40, images.batches)):
            optimizer.zero_grad()
            F.cross_entropy(member(inputs), labels).backward()
            optimizer.step()

    merged = ThesisPermAVG(members, widths)
    optimizer = torch.optim.Adam(merged.logits.values(), lr=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    timed = min(arguments.batches or images.batches, images.batches)
    ends, loss_sum = [], 0.0
    for _ in range(arguments.warm_up + arguments.repeats):
        loss_sum = 0.0
        for inputs, labels in images.epoch(timed):
            loss = F.cross_entropy(merged(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item() * len(labels)
            ends.append(time.perf_counter())
    seen = min(timed * arguments.batch_size, images.count)
    epochs = epoch_times(ends, timed, images.batches, arguments.warm_up)
    suffix = f"M = {arguments.members}"
    return [
        row(f"epoch, {suffix}", epochs, images.count, "images/s", loss_sum / seen),
        row(f"step, {suffix}", step_times(ends, timed, arguments.warm_up), 1, "steps/s"),
    ]


# MARK: Assignment


def assignment(arguments):
    import lap
    import numpy as np
    from safetensors.numpy import load_file
    from scipy.optimize import linear_sum_assignment

    rows = []
    # permavg is given floats, so turning them into what a library works on is part of its time.
    solvers = {
        "scipy": lambda s: linear_sum_assignment(s.astype(np.float64), maximize=True)[1],
        "lapx": lambda s: lap.lapjv(-s.astype(np.float64), return_cost=False)[0],
    }
    for path in sorted(arguments.folder.glob(f"{arguments.only}.safetensors")):
        similarity = load_file(path)["similarity"]
        for library, solve in solvers.items():
            columns = solve(similarity)
            objective = float(similarity[np.arange(len(columns)), columns].astype(np.float64).sum())
            seconds = []
            for _ in range(arguments.repeats):
                start = time.perf_counter()
                solve(similarity)
                seconds.append(time.perf_counter() - start)
            rows.append(row(f"assignment {path.stem}, {library}", seconds, 1, "assignments/s", objective))
    return rows


# MARK: The program


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def environment(arguments):
    from importlib.metadata import version

    found = {"cpu": cpu_model(), "cores": os.cpu_count(), "loadAverage": LOAD, "threads": arguments.threads}
    found |= {name: version(name) for name in ["torch", "numpy", "scipy", "lapx"]}
    return found | {"python": sys.version.split()[0]}


LOAD = os.getloadavg()[0]


def main():
    arguments = parse_arguments()
    # Libraries read these when they are loaded, which is why they are imported where they are used.
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
        os.environ[name] = str(arguments.threads)
    work = {"training": training_processes, "merging": merging, "assignment": assignment}
    rows = work[arguments.command](arguments)
    if arguments.json:
        print(json.dumps({"environment": environment(arguments), "rows": rows, "notes": []}, indent=2))
        return
    for entry in rows:
        print(
            f"{entry['name']:32} {1e3 * entry['seconds']:10.2f} ms {entry['rate']:12.1f} {entry['unit']:14}"
            f" {entry.get('result', '')}"
        )


if __name__ == "__main__":
    main()
