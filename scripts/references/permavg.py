"""Reference for PermAVG in the Merging target: merged network, loss, and gradient with respect to the logits X.

Written from the definition in the thesis, which permutes the activations of every member and averages them,

    out_l = Σ_m (1/M) P_{m,l} (W_{m,l} P_{m,l-1}ᵀ h + b_{m,l}),   h = ReLU(out_l),   P = Sinkhorn(exp(X/τ) + ε),

with the identity for member 0, for the inputs and for the output layer. The package merges the weights first and
runs one network; both are the same function, and this script checks that before it writes the merged weights.
PyTorch in float64, autograd through 2000 unrolled Sinkhorn iterations; members, X and inputs are rounded to float32.

    pip install torch==2.13.0 numpy safetensors
    python scripts/references/permavg.py

writes Tests/MergingTests/Fixtures/permavg.safetensors. Three members 8-6-5-4; `X.m.l`, `P.m.l` and `gradient.m.l`
belong to member m and hidden layer l, both counted from zero.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/MergingTests/Fixtures/permavg.safetensors"
WIDTHS = [8, 6, 5, 4]
MEMBERS = 3
BATCH = 20
TEMPERATURE = 1.0
EPSILON = 1e-3
ITERATIONS = 2000
LAYERS = len(WIDTHS) - 1


def sinkhorn(x):
    p = torch.exp(x / TEMPERATURE) + EPSILON
    for _ in range(ITERATIONS):
        p = p / p.sum(dim=1, keepdim=True)
        p = p / p.sum(dim=0, keepdim=True)
    return p


def permutation(soft, member, layer):
    """P_{m,l}: learned for the hidden layers of every member but the first, the identity elsewhere."""
    if (member, layer) in soft:
        return soft[member, layer]
    return torch.eye(WIDTHS[layer + 1], dtype=torch.float64)


def permuted_activations(weights, biases, soft, inputs):
    """The thesis' forward pass. Activations are rows here, so P applied to them is `h @ P.T`."""
    h = inputs
    for layer in range(LAYERS):
        out = 0
        for member in range(MEMBERS):
            own = h @ permutation(soft, member, layer - 1)  # P_{l-1}ᵀ h: back into the member's own order
            own = own @ weights[member, layer].T + biases[member, layer]
            out = out + own @ permutation(soft, member, layer).T / MEMBERS
        h = torch.relu(out) if layer < LAYERS - 1 else out
    return h


def merge(weights, biases, soft):
    """W̄_l = 1/M Σ_m P_{m,l} W_{m,l} P_{m,l-1}ᵀ and b̄_l = 1/M Σ_m P_{m,l} b_{m,l}."""
    merged = []
    for layer in range(LAYERS):
        weight, bias = 0, 0
        for member in range(MEMBERS):
            p = permutation(soft, member, layer)
            previous = permutation(soft, member, layer - 1)
            weight = weight + p @ weights[member, layer] @ previous.T / MEMBERS
            bias = bias + p @ biases[member, layer] / MEMBERS
        merged.append((weight, bias))
    return merged


def run(layers, inputs):
    h = inputs
    for index, (weight, bias) in enumerate(layers):
        h = F.linear(h, weight, bias)
        if index < LAYERS - 1:
            h = torch.relu(h)
    return h


def main():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    fixture, weights, biases, logits = {}, {}, {}, {}
    for member in range(MEMBERS):
        for layer in range(LAYERS):
            linear = torch.nn.Linear(WIDTHS[layer], WIDTHS[layer + 1])
            # Three times the usual initialisation: otherwise the gradients are too small to compare in float32.
            weight, bias = 3 * linear.weight.detach(), 3 * linear.bias.detach()
            fixture[f"members.{member}.layers.{layer}.weight"] = weight
            fixture[f"members.{member}.layers.{layer}.bias"] = bias
            weights[member, layer], biases[member, layer] = weight.double(), bias.double()
    for member in range(1, MEMBERS):
        for layer in range(LAYERS - 1):
            n = WIDTHS[layer + 1]
            x = 2 * torch.eye(n)[torch.randperm(n)] + torch.randn(n, n)
            fixture[f"X.{member}.{layer}"] = x
            logits[member, layer] = x.double().requires_grad_()
    fixture["inputs"] = torch.randn(BATCH, WIDTHS[0])
    fixture["labels"] = torch.randint(WIDTHS[-1], (BATCH,))
    fixture["temperature"] = torch.tensor([TEMPERATURE], dtype=torch.float64)
    fixture["epsilon"] = torch.tensor([EPSILON], dtype=torch.float64)
    inputs = fixture["inputs"].double()

    soft = {key: sinkhorn(x) for key, x in logits.items()}
    outputs = permuted_activations(weights, biases, soft, inputs)
    loss = F.cross_entropy(outputs, fixture["labels"])
    loss.backward()

    merged = merge(weights, biases, soft)
    assert torch.allclose(run(merged, inputs), outputs, rtol=0, atol=1e-12)

    fixture["loss"] = loss.detach().reshape(1)
    fixture["merged.logits"] = outputs.detach()
    for layer, (weight, bias) in enumerate(merged):
        fixture[f"merged.layers.{layer}.weight"] = weight.detach()
        fixture[f"merged.layers.{layer}.bias"] = bias.detach()
    for (member, layer), x in logits.items():
        fixture[f"P.{member}.{layer}"] = soft[member, layer].detach()
        fixture[f"gradient.{member}.{layer}"] = x.grad

    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
