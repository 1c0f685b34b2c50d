"""Reference for neuron selection in the Merging target: pivoted columns, ridge regression, and a whole selection.

SciPy's QR with column pivoting and NumPy's solver in float64, from the definition: of the M n hidden units of a layer, the n
whose activations (centred, times the norm of the outgoing weights) QR takes first; the first layer's rows copied, a further
hidden layer's fitted from the merged activations below to what its units received in their own networks, the head to the
members' mean logits; ridge 1e-4 a sample, biases not shrunk. Members and inputs are rounded to float32 first.

    pip install numpy scipy safetensors
    python scripts/references/selection.py

writes Tests/MergingTests/Fixtures/selection.safetensors:

- `pivots<k>.matrix` [samples, columns], `pivots<k>.pivots`: the columns in the order in which they are taken. The script checks that
  each is ahead of the next best by more than float32 rounding;
- `ridge.gram` [n, n], `ridge.right` [n, columns], `ridge.lambda` [1], `ridge.solution` [n, columns];
- `members.<m>.<tensor>` of three networks 8-12-9-4, `inputs` [400, 8], `merged.<tensor>`, `units.<l>`: what was kept,
  n · member + unit, in order.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.linalg import qr

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/selection.safetensors"
WIDTHS = [8, 12, 9, 4]
MEMBERS = 3
SAMPLES = 400
RIDGE = 1e-4


def pivots(matrix, count):
    """SciPy's pivots, after checking that each is clearly ahead."""
    order = qr(matrix, mode="r", pivoting=True)[1]
    rest = matrix.copy()
    for pivot in order[:count]:
        norms = np.linalg.norm(rest, axis=0)
        best, second = np.sort(norms)[::-1][:2]
        assert np.argmax(norms) == pivot and best > second * (1 + 1e-5), (pivot, best, second)
        direction = rest[:, pivot] / best
        rest -= np.outer(direction, direction @ rest)
    return order[:count]


def fit(features, targets):
    """Weights (targets × features) and biases that minimise the mean square plus RIDGE · ‖weights‖²."""
    h, t = features - features.mean(0), targets - targets.mean(0)
    weights = np.linalg.solve(h.T @ h + RIDGE * len(h) * np.eye(h.shape[1]), h.T @ t).T
    return weights, targets.mean(0) - weights @ features.mean(0)


def run(layers, inputs, upto=None):
    """The pre-activations of layer `upto`, or the logits."""
    upto = len(layers) - 1 if upto is None else upto
    h = inputs
    for index in range(upto + 1):
        weight, bias = layers[index]
        z = h @ weight.T + bias
        h = np.maximum(z, 0)
    return z


def select(members, inputs):
    merged, units = [], []
    for layer in range(len(WIDTHS) - 2):
        received = np.hstack([run(member, inputs, layer) for member in members])
        activations = np.maximum(received, 0)
        scales = np.hstack([np.linalg.norm(member[layer + 1][0], axis=0) for member in members])
        chosen = np.sort(pivots((activations - activations.mean(0)) * scales, WIDTHS[layer + 1]))
        units.append(chosen)
        if layer == 0:
            rows = np.vstack([member[0][0] for member in members])
            merged.append((rows[chosen], np.hstack([member[0][1] for member in members])[chosen]))
        else:
            merged.append(fit(np.maximum(run(merged, inputs), 0), received[:, chosen]))
    mean_logits = sum(run(member, inputs) for member in members) / len(members)
    merged.append(fit(np.maximum(run(merged, inputs), 0), mean_logits))
    return merged, units


def main():
    random = np.random.default_rng(8)
    fixture = {}
    for index, (samples, columns, count, rank) in enumerate([(60, 25, 25, 25), (300, 150, 70, 60), (1100, 90, 80, 90)]):
        matrix = random.normal(size=(samples, rank)) @ random.normal(size=(rank, columns)) / np.sqrt(rank)
        matrix += 0.2 * random.normal(size=matrix.shape)
        matrix *= random.uniform(0.2, 2, size=columns)
        stored = matrix.astype(np.float32)
        fixture[f"pivots{index}.matrix"] = stored
        fixture[f"pivots{index}.pivots"] = pivots(stored.astype(np.float64), count).astype(np.int64)

    features = random.normal(size=(80, 30))
    gram, right = features.T @ features, random.normal(size=(30, 7))
    fixture["ridge.gram"], fixture["ridge.right"] = gram, right
    fixture["ridge.lambda"] = np.array([0.3])
    fixture["ridge.solution"] = np.linalg.solve(gram + 0.3 * np.eye(30), right)

    members = []
    for m in range(MEMBERS):
        layers = []
        for l, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:])):
            bound = 3 / np.sqrt(inputs)
            weight = random.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)
            bias = random.uniform(-bound, bound, outputs).astype(np.float32)
            fixture[f"members.{m}.layers.{l}.weight"], fixture[f"members.{m}.layers.{l}.bias"] = weight, bias
            layers.append((weight.astype(np.float64), bias.astype(np.float64)))
        members.append(layers)
    fixture["inputs"] = random.normal(size=(SAMPLES, WIDTHS[0])).astype(np.float32)
    merged, units = select(members, fixture["inputs"].astype(np.float64))
    for l, (weight, bias) in enumerate(merged):
        fixture[f"merged.layers.{l}.weight"], fixture[f"merged.layers.{l}.bias"] = weight, bias
    for l, chosen in enumerate(units):
        fixture[f"units.{l}"] = chosen.astype(np.int64)
    save_file({name: np.ascontiguousarray(value) for name, value in fixture.items()}, FIXTURE)


if __name__ == "__main__":
    main()
