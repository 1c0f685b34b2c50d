"""Reference for the Merging target's Sinkhorn operator and its gradient.

P = Sinkhorn(exp(X/τ) + ε): rows, then columns, are divided by their sums, 2000 times. PyTorch does it in float64
and differentiates L = Σ G∘P through every unrolled iteration.

Cases: `small` (n = 6) and `medium` (24) are moderately sharp, `identity` is X = I (almost uniform), `sharp` is
nearly a permutation. The first three have converged to rounding after 2000 iterations. `sharp` has not:
its error shrinks by only 0.03 % an iteration, so `sharp.P` still has row sums wrong by about 1e-4 and its gradient
is off by tens of per cent from the limit's. `sharp.limit.P` and `sharp.limit.gradient` are the limit, to compare
with an implementation that iterates until it has converged or differentiates implicitly.

    pip install torch==2.13.0 numpy safetensors
    python scripts/references/sinkhorn.py

writes Tests/MergingTests/Fixtures/sinkhorn.safetensors; takes about 15 seconds.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/sinkhorn.safetensors"
EPSILON = 1e-3
ITERATIONS = 2000
LIMIT_ITERATIONS = 100_000


def sinkhorn(x, temperature):
    p = torch.exp(x / temperature) + EPSILON
    for _ in range(ITERATIONS):
        p = p / p.sum(dim=1, keepdim=True)
        p = p / p.sum(dim=0, keepdim=True)
    return p


def sinkhorn_limit(x, temperature):
    """The same iteration on the two scaling vectors, which needs 1/n of the memory to differentiate."""
    kernel = torch.exp(x / temperature) + EPSILON
    columns = torch.ones(len(x), dtype=x.dtype)
    for _ in range(LIMIT_ITERATIONS):
        rows = 1 / (kernel @ columns)
        columns = 1 / (kernel.T @ rows)
    p = rows[:, None] * kernel * columns
    assert (p.sum(dim=1) - 1).abs().max() < 1e-12
    return p


def noisy_permutation(n, strength):
    return strength * torch.eye(n)[torch.randperm(n)] + torch.randn(n, n)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(5)
    cases = {
        "small": (noisy_permutation(6, 3), 0.7),
        "medium": (noisy_permutation(24, 3), 1.0),
        "identity": (torch.eye(24), 1.0),
        "sharp": (noisy_permutation(24, 12), 1.0),
    }
    fixture = {}
    for name, (logits, temperature) in cases.items():
        weights = torch.randn(logits.shape)
        fixture[f"{name}.X"] = logits
        fixture[f"{name}.G"] = weights
        fixture[f"{name}.temperature"] = torch.tensor([temperature], dtype=torch.float64)
        fixture[f"{name}.epsilon"] = torch.tensor([EPSILON], dtype=torch.float64)

        answers = {name: sinkhorn}
        if name == "sharp":
            answers["sharp.limit"] = sinkhorn_limit
        for answer, operator in answers.items():
            x = logits.double().requires_grad_()
            p = operator(x, temperature)
            (weights.double() * p).sum().backward()
            fixture[f"{answer}.P"] = p.detach()
            fixture[f"{answer}.gradient"] = x.grad

    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
