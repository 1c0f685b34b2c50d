"""Reference for the Merging target's linear assignment: SciPy's answers on about sixty similarity matrices.

`scipy.optimize.linear_sum_assignment(similarity, maximize=True)` in float64 on matrices stored as float32:

- `case00`…`case39`: standard normal, n = 1…40;
- `case40`…`case43`: correlations of two sets of 64 units that respond to 8 common factors, as trained layers do;
- `ties00`…`ties15`: small integers, where many assignments are equally good: only the objective is comparable.

For every `case` the script also checks that the best assignment beats the second best by more than float32
rounding, so that exactly one answer is right.

    pip install numpy scipy safetensors
    python scripts/references/assignment.py

writes Tests/MergingTests/Fixtures/assignment.safetensors: `<name>.similarity` [n, n], `<name>.columns` [n] (the
column matched to each row) and `<name>.objective` [1] (the sum of the matched similarities).
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/assignment.safetensors"


def correlations(random, units=64, factors=8, samples=500):
    common = random.normal(size=(samples, factors))

    def activations():
        mixing = random.normal(size=(factors, units))
        noise = 0.5 * random.normal(size=(samples, units))
        return np.maximum(common @ mixing + noise, 0)

    return np.corrcoef(activations(), activations(), rowvar=False)[:units, units:]


def solve(similarity):
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    return columns, similarity[rows, columns].sum()


def margin(similarity, columns, objective):
    """How far the second-best assignment falls short: it must avoid at least one of the best one's pairs."""
    second = -np.inf
    for row, column in enumerate(columns):
        forbidden = similarity.copy()
        forbidden[row, column] = -1e6
        second = max(second, solve(forbidden)[1])
    return objective - second


def main():
    random = np.random.default_rng(11)
    matrices = {}
    for n in range(1, 41):
        matrices[f"case{n - 1:02}"] = random.normal(size=(n, n))
    for index in range(40, 44):
        matrices[f"case{index}"] = correlations(random)
    for index, n in enumerate(range(2, 34, 2)):
        matrices[f"ties{index:02}"] = random.integers(-2, 5, size=(n, n))

    fixture = {}
    for name, matrix in matrices.items():
        stored = matrix.astype(np.float32)
        similarity = stored.astype(np.float64)
        columns, objective = solve(similarity)
        if name.startswith("case"):
            assert margin(similarity, columns, objective) > 1e-4, name
        fixture[f"{name}.similarity"] = stored
        fixture[f"{name}.columns"] = columns.astype(np.int64)
        fixture[f"{name}.objective"] = np.array([objective])

    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
