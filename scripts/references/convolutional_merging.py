"""Reference for merging convolutional members by what their channels do.

From the definitions, in PyTorch and NumPy and float64, for members and samples that were first rounded to float32; every pixel of
every sample counts as one:

- activation matching: Pearson's correlation of every channel of member 0 with every one of member m, as the layers that mix them
  read them (after ReLU and pooling); linear assignment by SciPy. Channels behind a flattening are permuted with all their pixels.
- REPAIR: z <- (z - mu) / sigma * sigma* + mu*, layer by layer, put into weights and biases.
- least squares of every layer but the first: of what each pixel reads, by `unfold`, with rows sqrt(lambda N) I added, lambda = 1e-4
  and N the pixels, solved by an SVD: no normal equations.
- RESET: batch normalisation's running statistics as PyTorch's training mode takes them from all samples as one batch.

Members with batch normalisation are REPAIRed and fitted folded: each normalisation is part of the convolution before it.

    pip install torch==2.13.0 numpy scipy safetensors
    python scripts/references/convolutional_merging.py

writes Tests/MergingTests/Fixtures/convolutional-merging.safetensors: of `plain` and `normalized`, three members and 200 samples,
`permutation.m.g` of member m and group g, and by method the merged network's tensors, or its logits.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/convolutional-merging.safetensors"
LAYERS = ["a", "b", "c", "head"]
MEMBERS = 3
SAMPLES = 200
RIDGE = 1e-4
EPSILON = 1e-5


def convolve(layer, h, weight, bias):
    if layer == "a":
        return F.conv2d(h, weight, bias, padding=1)
    if layer == "b":
        return F.conv2d(h, weight, bias, stride=2)
    return F.linear(h, weight, bias)


def patches(layer, h):
    """What each output reads, rows x numbers."""
    if layer not in "ab":
        return h
    unfolded = F.unfold(h, 3, padding=1 if layer == "a" else 0, stride=1 if layer == "a" else 2)
    return unfolded.transpose(1, 2).reshape(-1, unfolded.shape[1])


def pixels(z):
    """Every pixel of every sample, rows x channels."""
    return z.permute(0, 2, 3, 1).reshape(-1, z.shape[1]) if z.dim() == 4 else z


def above(layer, z):
    """What the next layer reads, before it is flattened."""
    if layer == "head":
        return z
    return F.max_pool2d(F.relu(z), 2) if layer == "a" else F.relu(z)


def values(network, x):
    """Of each layer its values before the ReLU, and what the next layer reads."""
    z, read, h = {}, {}, x
    for layer in LAYERS:
        z[layer] = convolve(layer, h, *network[layer])
        read[layer] = above(layer, z[layer])
        h = read[layer].flatten(1) if layer == "b" else read[layer]
    return z, read


def draw(random, normalized):
    shapes = {"a": (6, 2, 3, 3), "b": (8, 6, 3, 3), "c": (9, 8 * 4, 1, 1), "head": (4, 9, 1, 1)}
    base = {
        layer: (1.6 * random.normal(size=shape) / np.sqrt(np.prod(shape[1:])), 0.2 * random.normal(size=shape[0]))
        for layer, shape in shapes.items()
    }
    members = []
    for member in range(MEMBERS):
        own, before = {}, None
        for layer, (weight, bias) in base.items():
            weight = weight + 0.4 * random.normal(size=weight.shape) / np.sqrt(np.prod(weight.shape[1:]))
            bias = bias + 0.1 * random.normal(size=bias.shape)
            after = random.permutation(len(bias)) if layer != "head" else np.arange(len(bias))
            if before is not None:
                weight = permute_columns(layer, weight, before)
            own[layer] = (weight[after], bias[after])
            before = after
        members.append({
            layer: (weight.reshape(weight.shape[0], -1) if layer in ("c", "head") else weight, bias)
            for layer, (weight, bias) in own.items()
        })
    norms = [
        {
            layer: tuple(
                np.asarray(v, dtype=np.float32)
                for v in (
                    1 + 0.3 * random.normal(size=n),
                    0.2 * random.normal(size=n),
                    0.2 * random.normal(size=n),
                    np.exp(0.3 * random.normal(size=n)),
                )
            )
            for layer, n in (("a", 6), ("b", 8))
        }
        for _ in range(MEMBERS)
    ] if normalized else None
    rounded = [
        {layer: (w.astype(np.float32), b.astype(np.float32)) for layer, (w, b) in member.items()} for member in members
    ]
    return rounded, norms


def permute_columns(layer, weight, order):
    """Columns by the order of the channels that they read."""
    if layer == "c":
        shape = weight.shape
        return weight.reshape(shape[0], len(order), -1)[:, order].reshape(shape)
    return weight[:, order]


def tensor(network):
    return {layer: tuple(torch.tensor(v, dtype=torch.float64) for v in pair) for layer, pair in network.items()}


def fold(network, norms):
    """Each normalisation as part of the convolution before it."""
    result = dict(network)
    for layer, (gain, shift, mean, variance) in norms.items():
        weight, bias = network[layer]
        gain, shift, mean, variance = (torch.tensor(v, dtype=torch.float64) for v in (gain, shift, mean, variance))
        scale = gain / torch.sqrt(variance + EPSILON)
        result[layer] = (scale[:, None, None, None] * weight, scale * (bias - mean) + shift)
    return result


def correlation(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.outer(a.std(0), b.std(0))
    return np.divide(a.T @ b / len(a), scale, out=np.zeros_like(scale), where=scale > 1e-12)


def match(networks, x):
    _, reference = values(networks[0], x)
    result = []
    for network in networks:
        _, own = values(network, x)
        result.append([
            linear_sum_assignment(
                correlation(pixels(reference[layer]).numpy(), pixels(own[layer]).numpy()), maximize=True
            )[1]
            for layer in LAYERS[:-1]
        ])
    return result


def permuted(network, orders):
    result, before = {}, None
    for place, layer in enumerate(LAYERS):
        weight, bias = (v.numpy() for v in network[layer])
        if before is not None:
            weight = permute_columns(layer, weight, before)
        after = orders[place] if layer != "head" else np.arange(len(bias))
        result[layer] = (torch.tensor(weight[after]), torch.tensor(bias[after]))
        before = after
    return result


def average(networks):
    return {layer: tuple(torch.stack(v).mean(0) for v in zip(*(n[layer] for n in networks))) for layer in LAYERS}


def repair(merged, members, x):
    goals = [values(member, x)[0] for member in members]
    result = dict(merged)
    for layer in LAYERS[:-1]:
        z = pixels(values(result, x)[0][layer])
        mean = torch.stack([pixels(goal[layer]).mean(0) for goal in goals]).mean(0)
        deviation = torch.stack([pixels(goal[layer]).std(0, correction=0) for goal in goals]).mean(0)
        scale = deviation / z.std(0, correction=0)
        weight, bias = result[layer]
        result[layer] = (
            scale.reshape(-1, *[1] * (weight.dim() - 1)) * weight, mean + scale * (bias - z.mean(0)))
    return result


def least_squares(merged, members, x):
    targets = [values(member, x)[0] for member in members]
    result, h = dict(merged), x
    for layer in LAYERS:
        if layer != "a":
            rows = patches(layer, h)
            goal = torch.stack([pixels(t[layer]) for t in targets]).mean(0)
            n = rows.shape[1]
            left = torch.cat([
                torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], 1),
                np.sqrt(RIDGE * len(rows)) * torch.eye(n, n + 1, dtype=rows.dtype)])
            right = torch.cat([goal, torch.zeros(n, goal.shape[1], dtype=rows.dtype)])
            solution = np.linalg.lstsq(left.numpy(), right.numpy(), rcond=None)[0]
            result[layer] = (
                torch.tensor(solution[:-1].T.copy()).reshape(result[layer][0].shape), torch.tensor(solution[-1]))
        z, read = values(result, x)
        h = read[layer].flatten(1) if layer == "b" else read[layer]
    return result


def reset(network, norms, x):
    """Logits, and the statistics that training mode takes from all samples."""
    h, statistics = x, {}
    for layer in LAYERS:
        z = convolve(layer, h, *network[layer])
        if layer in norms:
            norm = torch.nn.BatchNorm2d(len(norms[layer][0]), eps=EPSILON, momentum=1.0, dtype=torch.float64)
            norm.weight.data, norm.bias.data = (torch.tensor(v, dtype=torch.float64) for v in norms[layer][:2])
            norm.train()
            norm(z)
            norm.eval()
            z = norm(z).detach()
            statistics[layer] = (norm.running_mean.numpy(), norm.running_var.numpy())
        h = above(layer, z)
        h = h.flatten(1) if layer == "b" else h
    return h, statistics


def store(fixture, prefix, network):
    for layer, (weight, bias) in network.items():
        fixture[f"{prefix}.{layer}.weight"] = np.ascontiguousarray(np.asarray(weight))
        fixture[f"{prefix}.{layer}.bias"] = np.ascontiguousarray(np.asarray(bias))


def main():
    random = np.random.default_rng(17)
    fixture = {}
    inputs = random.normal(size=(SAMPLES, 2, 10, 10)).astype(np.float32)
    fixture["inputs"] = inputs
    x = torch.tensor(inputs, dtype=torch.float64)
    for name in ["plain", "normalized"]:
        members, norms = draw(random, name == "normalized")
        for number, member in enumerate(members):
            store(fixture, f"{name}.members.{number}", member)
            for layer, own in (norms[number] if norms else {}).items():
                for part, value in zip(["weight", "bias", "running_mean", "running_var"], own):
                    fixture[f"{name}.members.{number}.{layer}.norm.{part}"] = value
        networks = [tensor(member) for member in members]
        folded = [fold(n, norm) for n, norm in zip(networks, norms)] if norms else networks
        orders = match(folded, x)
        for member, own in enumerate(orders):
            for group, order in enumerate(own):
                fixture[f"{name}.permutation.{member}.{group}"] = order.astype(np.int64)
        aligned = [permuted(network, own) for network, own in zip(folded, orders)]
        merged = average(aligned)
        for method, network in {
            "repair": repair(merged, aligned, x), "least-squares": least_squares(merged, aligned, x)
        }.items():
            if not norms:
                store(fixture, f"{name}.{method}", network)
            fixture[f"{name}.{method}.logits"] = values(network, x)[0]["head"].numpy()
        if norms:
            plain = average([permuted(network, own) for network, own in zip(networks, orders)])
            own = [
                {layer: [v[o[p]] for v in norm[layer]] for p, layer in enumerate(["a", "b"])}
                for norm, o in zip(norms, orders)
            ]
            mean = {
                layer: [np.mean([np.float64(n[layer][k]) for n in own], axis=0) for k in range(4)] for layer in "ab"
            }
            logits, statistics = reset(plain, mean, x)
            fixture[f"{name}.reset.logits"] = logits.numpy()
            for layer, (running_mean, running_var) in statistics.items():
                fixture[f"{name}.reset.{layer}.norm.running_mean"] = running_mean
                fixture[f"{name}.reset.{layer}.norm.running_var"] = running_var
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
