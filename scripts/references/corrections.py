"""Reference for matching by activations and for the corrections in the Merging target.

From the definitions, in NumPy and float64, for members and samples that were first rounded to float32:

- activation matching: Pearson's correlation of every hidden unit of member 0 with every one of member m over the
  samples, after the ReLU, layer by layer; linear assignment by SciPy.
- REPAIR: z <- (z - mu) / sigma * sigma* + mu*, with the means over the permuted members of their units' mean and standard
  deviation before the ReLU, layer by layer, as an operation of its own after each layer; the weights and biases that do
  the same are checked against that before they are written. RESCALE keeps mu in place of mu*.
- refit-head, least-squares: min_X |H X - T|^2 + lambda |X without its constant|^2 with lambda = 1e-4 N, as an ordinary least squares
  problem with rows sqrt(lambda) I added, solved by an SVD: no normal equations.

    pip install numpy scipy safetensors
    python scripts/references/corrections.py

writes Tests/MergingTests/Fixtures/corrections.safetensors: three members 8-12-10-5, a dead unit in every hidden layer of two
of them, 400 samples; `permutation.m.l` of member m and hidden layer l, and the merged networks' parameters by method.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/corrections.safetensors"
WIDTHS = [8, 12, 10, 5]
LAYERS = len(WIDTHS) - 1
MEMBERS = 3
SAMPLES = 400
RIDGE = 1e-4


def make_members(random):
    """Noisy copies of one network, each with its units in another order."""
    base = [
        (1.5 * random.normal(size=(o, i)) / np.sqrt(i), 0.3 * random.normal(size=o))
        for i, o in zip(WIDTHS, WIDTHS[1:])
    ]
    members = []
    for member in range(MEMBERS):
        layers = []
        before = np.arange(WIDTHS[0])
        for layer, (weight, bias) in enumerate(base):
            weight = weight + 0.4 * random.normal(size=weight.shape) / np.sqrt(weight.shape[1])
            bias = bias + 0.1 * random.normal(size=bias.shape)
            if layer < LAYERS - 1 and member < 2:
                weight[3], bias[3] = 0, -0.5  # never active, so of no correlation with any unit
            after = random.permutation(len(bias)) if layer < LAYERS - 1 else np.arange(len(bias))
            layers.append((weight[after][:, before].astype(np.float32), bias[after].astype(np.float32)))
            before = after
        members.append(layers)
    return members


def double(member):
    return [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in member]


def pre_activations(member, inputs):
    """Every layer's values before the ReLU, samples x units."""
    h, result = inputs, []
    for weight, bias in member:
        z = h @ weight.T + bias
        result.append(z)
        h = np.maximum(z, 0)
    return result


def correlation(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.outer(a.std(0), b.std(0))
    return np.divide(a.T @ b / len(a), scale, out=np.zeros_like(scale), where=scale > 1e-12)


def match(members, inputs):
    """The permutations [m][l] with p[i] the unit of member m that goes with unit i of member 0."""
    reference = pre_activations(members[0], inputs)
    result = []
    for member in members:
        own = pre_activations(member, inputs)
        result.append([])
        for layer in range(LAYERS - 1):
            c = correlation(np.maximum(reference[layer], 0), np.maximum(own[layer], 0))
            result[-1].append(linear_sum_assignment(c, maximize=True)[1])
    return result


def permuted(member, permutations):
    before, layers = np.arange(WIDTHS[0]), []
    for layer, (weight, bias) in enumerate(member):
        after = permutations[layer] if layer < LAYERS - 1 else np.arange(len(bias))
        layers.append((weight[after][:, before], bias[after]))
        before = after
    return layers


def repair(merged, members, inputs, keep_means):
    goals = [pre_activations(member, inputs) for member in members]
    h, fused = inputs, []
    for layer, (weight, bias) in enumerate(merged[:-1]):
        z = h @ weight.T + bias
        mean = np.mean([goal[layer].mean(0) for goal in goals], axis=0)
        if keep_means:
            mean = z.mean(0)
        deviation = np.mean([goal[layer].std(0) for goal in goals], axis=0)
        scale = deviation / z.std(0)
        fused.append((scale[:, None] * weight, mean + scale * (bias - z.mean(0))))
        h = np.maximum((z - z.mean(0)) * scale + mean, 0)
    weight, bias = merged[-1]
    fused.append((weight, bias))
    assert np.allclose(pre_activations(fused, inputs)[-1], h @ weight.T + bias, rtol=0, atol=1e-12)
    return fused


def ridge(features, targets):
    """Weights and biases that take features to targets."""
    n = features.shape[1]
    h = np.hstack([features, np.ones((len(features), 1))])
    penalty = np.sqrt(RIDGE * len(features)) * np.eye(n, n + 1)
    x = np.linalg.lstsq(np.vstack([h, penalty]), np.vstack([targets, np.zeros((n, targets.shape[1]))]), rcond=None)[0]
    return x[:-1].T, x[-1]


def least_squares(merged, members, inputs, layers):
    targets = [np.mean(z, axis=0) for z in zip(*(pre_activations(member, inputs) for member in members))]
    result, h = [], inputs
    for layer, (weight, bias) in enumerate(merged):
        if layer in layers:
            weight, bias = ridge(h, targets[layer])
        result.append((weight, bias))
        h = np.maximum(h @ weight.T + bias, 0)
    return result


def store(fixture, prefix, network):
    for layer, (weight, bias) in enumerate(network):
        fixture[f"{prefix}.layers.{layer}.weight"] = np.ascontiguousarray(weight)
        fixture[f"{prefix}.layers.{layer}.bias"] = np.ascontiguousarray(bias)


def main():
    random = np.random.default_rng(11)
    fixture = {}
    members = make_members(random)
    for number, member in enumerate(members):
        store(fixture, f"members.{number}", member)
    inputs = random.normal(size=(SAMPLES, WIDTHS[0])).astype(np.float32)
    fixture["inputs"] = inputs

    members, inputs = [double(member) for member in members], inputs.astype(np.float64)
    permutations = match(members, inputs)
    for member, own in enumerate(permutations):
        for layer, permutation in enumerate(own):
            fixture[f"permutation.{member}.{layer}"] = permutation.astype(np.int64)
    aligned = [permuted(member, own) for member, own in zip(members, permutations)]
    merged = [
        tuple(np.mean(parts, axis=0) for parts in zip(*layer)) for layer in zip(*aligned)
    ]
    store(fixture, "activation-matching", merged)
    store(fixture, "repair", repair(merged, aligned, inputs, keep_means=False))
    store(fixture, "rescale", repair(merged, aligned, inputs, keep_means=True))
    store(fixture, "refit-head", least_squares(merged, aligned, inputs, [LAYERS - 1]))
    store(fixture, "least-squares", least_squares(merged, aligned, inputs, range(1, LAYERS)))

    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
