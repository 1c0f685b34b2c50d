"""Reference for matching in the Merging target: Git Re-Basin's weight matching and MergeMany, and C2M3's objective.

Written from Ainsworth, Hayase & Srinivasa 2023 (algorithms 1 and 3) and Crisostomi et al. 2024, in NumPy in float64, with
SciPy's linear assignment. Networks are dictionaries of `layers.<l>.weight` (outputs × inputs) and `layers.<l>.bias`; place i
of a permuted layer takes what was at p[i]. The objective of members under permutations is
F = Σ_{A<B} <π_A(θ_A), π_B(θ_B)>, biases included.

    pip install numpy scipy safetensors
    python scripts/references/matching.py

writes Tests/MergingTests/Fixtures/matching.safetensors. `one` (10-16-5) and `three` (10-18-16-14-5 units) are four noisy copies
of a network, in other orders each: the script checks, from many starts, that matching ends at the orders that were planted, so that
exactly one answer is right. `<case>.members.<m>.<tensor>`, `<case>.permutations.<m>.<l>` (each member into the first
one's order), `<case>.pair` [1] (F of the first two, matched), `<case>.objective` [1] (F of all, matched),
`<case>.random.<m>.<l>` and `<case>.random` [1]: any permutations, and F under them.

    python scripts/references/matching.py 000.safetensors 001.safetensors … [PERMUTATIONS.safetensors]

prints F of trained members as they are, by NumPy's weight matching and MergeMany, and, from a file of `hard.<m>.<l>` tensors as
`permavg merge` writes it (merged/<method>.permutations.safetensors), by the program's permutations, after checking that they are some.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/matching.safetensors"
COPIES = 4
NOISE = 0.1


def layer_count(network):
    return sum(name.endswith(".weight") for name in network)


def identity(network):
    return [np.arange(len(network[f"layers.{l}.bias"])) for l in range(layer_count(network) - 1)]


def permute(network, permutations):
    result = {}
    for l in range(layer_count(network)):
        weight, bias = network[f"layers.{l}.weight"], network[f"layers.{l}.bias"]
        if l < len(permutations):
            weight, bias = weight[permutations[l]], bias[permutations[l]]
        if l > 0:
            weight = weight[:, permutations[l - 1]]
        result[f"layers.{l}.weight"], result[f"layers.{l}.bias"] = weight, bias
    return result


def inner(a, b):
    return sum(np.sum(a[name] * b[name]) for name in a)


def add(networks):
    return {name: sum(network[name] for network in networks) for name in networks[0]}


def objective(members, permutations):
    placed = [permute(member, own) for member, own in zip(members, permutations)]
    return sum(inner(placed[a], placed[b]) for b in range(len(placed)) for a in range(b))


def similarity(reference, network, permutations, layer):
    """<unit i of the reference, unit j of the network> with the other layers permuted."""
    others = list(permutations)
    others[layer] = np.arange(len(permutations[layer]))
    moved = permute(network, others)
    weight, bias, above = f"layers.{layer}.weight", f"layers.{layer}.bias", f"layers.{layer + 1}.weight"
    return (
        reference[weight] @ moved[weight].T
        + np.outer(reference[bias], moved[bias])
        + reference[above].T @ moved[above]
    )


def weight_matching(reference, network, random):
    permutations = identity(network)
    for _ in range(100):
        improved = False
        for layer in random.permutation(len(permutations)):
            matrix = similarity(reference, network, permutations, layer)
            rows, columns = linear_sum_assignment(matrix, maximize=True)
            old, new = matrix[rows, permutations[layer]].sum(), matrix[rows, columns].sum()
            if new > old + 1e-12 * abs(old):
                permutations[layer], improved = columns, True
        if not improved or len(permutations) == 1:
            break
    return permutations


def merge_many(members, random):
    permutations = [identity(member) for member in members]
    for _ in range(100):
        improved = False
        for m in random.permutation(len(members)):
            placed = [permute(member, own) for member, own in zip(members, permutations)]
            others = add([network for number, network in enumerate(placed) if number != m])
            found = weight_matching(others, placed[m], random)
            if any(np.any(p != np.arange(len(p))) for p in found):
                # The permutation found comes after the member's own.
                permutations[m] = [own[p] for own, p in zip(permutations[m], found)]
                improved = True
        if not improved:
            break
    return permutations


def from_first(permutations):
    """The same alignment with the first member's own order for all."""
    inverse = [np.argsort(p) for p in permutations[0]]
    return [[p[q] for p, q in zip(own, inverse)] for own in permutations]


def equal(a, b):
    return all(np.array_equal(p, q) for p, q in zip(a, b))


def write_fixture():
    random = np.random.default_rng(12)
    fixture = {}
    for case, widths in {"one": [10, 16, 5], "three": [10, 18, 16, 14, 5]}.items():
        original = {}
        for l, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            bound = 3 / np.sqrt(inputs)
            original[f"layers.{l}.weight"] = random.uniform(-bound, bound, (outputs, inputs))
            original[f"layers.{l}.bias"] = random.uniform(-bound, bound, outputs)
        planted = [[random.permutation(n) for n in widths[1:-1]] for _ in range(COPIES)]
        stored = []
        for own in planted:
            noisy = {name: value + NOISE * random.normal(size=value.shape) for name, value in original.items()}
            stored.append({name: value.astype(np.float32) for name, value in permute(noisy, own).items()})
        members = [{name: value.astype(np.float64) for name, value in member.items()} for member in stored]

        # Undoing what was planted, in the first member's order.
        expected = from_first([[np.argsort(p) for p in own] for own in planted])
        for _ in range(20):
            for m in range(1, COPIES):
                assert equal(weight_matching(members[0], members[m], random), expected[m]), case
            many = from_first(merge_many(members, random))
            assert all(equal(own, right) for own, right in zip(many, expected)), case

        anyhow = [[random.permutation(n) for n in widths[1:-1]] for _ in range(COPIES)]
        for m in range(COPIES):
            for name, value in stored[m].items():
                fixture[f"{case}.members.{m}.{name}"] = value
            for l in range(len(widths) - 2):
                fixture[f"{case}.permutations.{m}.{l}"] = expected[m][l].astype(np.int64)
                fixture[f"{case}.random.{m}.{l}"] = anyhow[m][l].astype(np.int64)
        fixture[f"{case}.pair"] = np.array([objective(members[:2], expected[:2])])
        fixture[f"{case}.objective"] = np.array([objective(members, expected)])
        fixture[f"{case}.random"] = np.array([objective(members, anyhow)])
    # Scalars of NumPy's own are not contiguous views, and permuted arrays need not be either.
    save_file({name: np.ascontiguousarray(value) for name, value in fixture.items()}, FIXTURE)


def compare(paths):
    files = [load_file(path) for path in paths]
    given = files.pop() if "hard.0.0" in files[-1] else None
    members = [{name: value.astype(np.float64) for name, value in file.items()} for file in files]
    random = np.random.default_rng(1)
    start = [identity(member) for member in members]
    print(f"as they are             {objective(members, start):.6f}")
    star = [start[0]] + [weight_matching(members[0], member, random) for member in members[1:]]
    print(f"NumPy's weight matching {objective(members, star):.6f}")
    if len(members) > 2:
        print(f"NumPy's MergeMany       {objective(members, merge_many(members, random)):.6f}")
    if given is None:
        return
    own = [[given[f"hard.{m}.{l}"] for l in range(len(start[m]))] for m in range(len(members))]
    for m, layers in enumerate(own):
        for l, p in enumerate(layers):
            assert np.array_equal(np.sort(p), start[m][l]), f"hard.{m}.{l} is no permutation"
    print(f"the program's           {objective(members, own):.6f}")


if __name__ == "__main__":
    compare(sys.argv[1:]) if len(sys.argv) > 1 else write_fixture()
