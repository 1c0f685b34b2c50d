"""Reference for evaluation in the Training target: accuracy, NLL, Brier score, ECE and disagreement.

NumPy, in float64, written from the definitions; three members' logits on 200 samples of 10 classes.

- NLL: mean of −ln p(label).
- Brier: mean over samples of Σ_c (p_c − y_c)², so between 0 and 2.
- ECE: 15 equal bins (lo, hi] on the highest probability; Σ_bins (samples / all) · |accuracy − mean confidence|.
- Ensemble: once the mean of the members' probabilities, once the softmax of the mean of their logits.
- Disagreement: over all pairs of members and all samples, how often the predicted classes differ.

    pip install numpy safetensors
    python scripts/references/metrics.py

writes Tests/TrainingTests/Fixtures/metrics.safetensors.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/TrainingTests/Fixtures/metrics.safetensors"
MEMBERS, SAMPLES, CLASSES, BINS = 3, 200, 10, 15


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def expected_calibration_error(probabilities, labels):
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    # A confidence on an edge would fall into one bin in float32 and into the other in float64.
    assert np.abs(confidence[:, None] - edges[None, :-1]).min() > 1e-5
    total = 0.0
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return total


def metrics(probabilities, labels):
    rows = np.arange(len(labels))
    one_hot = np.eye(CLASSES)[labels]
    return {
        "accuracy": (probabilities.argmax(axis=1) == labels).mean(),
        "nll": -np.log(probabilities[rows, labels]).mean(),
        "brier": ((probabilities - one_hot) ** 2).sum(axis=1).mean(),
        "ece": expected_calibration_error(probabilities, labels),
    }


def main():
    random = np.random.default_rng(5)
    labels = random.integers(CLASSES, size=SAMPLES)
    # What the members share (signal and part of the noise) makes them agree more often than chance.
    shared = 2.9 * np.eye(CLASSES)[labels] + random.normal(size=(SAMPLES, CLASSES))
    logits = (1.5 * (shared + random.normal(size=(MEMBERS, SAMPLES, CLASSES)))).astype(np.float32)

    exact = logits.astype(np.float64)
    probabilities = softmax(exact)
    fixture = {"logits": logits, "labels": labels.astype(np.int64)}

    members = [metrics(p, labels) for p in probabilities]
    for name in members[0]:
        fixture[name] = np.array([m[name] for m in members])
    ensembles = {
        "ensemble.probabilities": probabilities.mean(axis=0),
        "ensemble.logits": softmax(exact.mean(axis=0)),
    }
    for ensemble, mean in ensembles.items():
        for name, value in metrics(mean, labels).items():
            fixture[f"{ensemble}.{name}"] = np.array([value])

    predicted = exact.argmax(axis=2)
    pairs = [(predicted[i] != predicted[j]).mean() for i, j in combinations(range(MEMBERS), 2)]
    fixture["disagreement"] = np.array([np.mean(pairs)])

    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
