"""Reference for heads that are fitted to labels in the Merging target: multinomial logistic regression.

SciPy's Newton-CG in float64, from the definition: the head W, b of a network 6-9-4 that minimises the mean cross entropy plus
λ/2 ‖W‖², biases not shrunk, with what the head reads computed by NumPy. Weights and inputs are rounded to float32 first.

    pip install numpy scipy safetensors
    python scripts/references/heads.py

writes Tests/MergingTests/Fixtures/heads.safetensors: `network.<tensor>`, `inputs` [600, 6], `labels` [600], and of two λ
`<k>.lambda` [1], `<k>.loss` [1] with the penalty, `<k>.logits` [600, 4]. The script checks that the gradient is zero there.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/heads.safetensors"
FEATURES, HIDDEN, CLASSES, SAMPLES = 6, 9, 4, 600


def main():
    random = np.random.default_rng(21)
    fixture = {}
    layers = []
    for index, (inputs, outputs) in enumerate([(FEATURES, HIDDEN), (HIDDEN, CLASSES)]):
        weight = random.normal(size=(outputs, inputs)).astype(np.float32)
        bias = random.normal(size=outputs).astype(np.float32)
        fixture[f"network.layers.{index}.weight"], fixture[f"network.layers.{index}.bias"] = weight, bias
        layers.append((weight.astype(np.float64), bias.astype(np.float64)))
    x = random.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    teacher = random.normal(size=(FEATURES, CLASSES))
    labels = np.argmax(x @ teacher + random.normal(size=(SAMPLES, CLASSES)), axis=1)
    fixture["inputs"], fixture["labels"] = x, labels.astype(np.int64)

    h = np.maximum(x.astype(np.float64) @ layers[0][0].T + layers[0][1], 0)
    h1 = np.hstack([h, np.ones((SAMPLES, 1))])
    targets = np.eye(CLASSES)[labels]
    shrunk = np.ones((HIDDEN + 1, 1))
    shrunk[-1] = 0
    for k, penalty in enumerate([1e-3, 1e-1]):

        def loss(w):
            w = w.reshape(HIDDEN + 1, CLASSES)
            return -(targets * log_softmax(h1 @ w, axis=1)).sum() / SAMPLES + penalty / 2 * (shrunk * w * w).sum()

        def gradient(w):
            w = w.reshape(HIDDEN + 1, CLASSES)
            return (h1.T @ (softmax(h1 @ w, axis=1) - targets) / SAMPLES + penalty * shrunk * w).ravel()

        def curvature(w, v):
            w, v = w.reshape(HIDDEN + 1, CLASSES), v.reshape(HIDDEN + 1, CLASSES)
            p, d = softmax(h1 @ w, axis=1), h1 @ v
            return (h1.T @ (p * (d - (p * d).sum(1, keepdims=True))) / SAMPLES + penalty * shrunk * v).ravel()

        start = np.zeros((HIDDEN + 1) * CLASSES)
        found = minimize(loss, start, jac=gradient, hessp=curvature, method="trust-ncg", options={"gtol": 1e-11, "maxiter": 5000})
        assert np.abs(gradient(found.x)).max() < 1e-9, found
        fixture[f"{k}.lambda"] = np.array([penalty])
        fixture[f"{k}.loss"] = np.array([found.fun])
        fixture[f"{k}.logits"] = h1 @ found.x.reshape(HIDDEN + 1, CLASSES)
    save_file({name: np.ascontiguousarray(value) for name, value in fixture.items()}, FIXTURE)


if __name__ == "__main__":
    main()
