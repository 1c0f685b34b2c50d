"""Reference for residual networks with layer normalisation, `residual:I-WxB-O`, and for the normalisation alone.

A stem I → W, B blocks h + down(relu(up(norm(h)))) of width W, then head(norm(h)), W → O. PyTorch computes in float64
from parameters and inputs that were first rounded to float32; LayerNorm's ε is 1e-5.

    pip install torch==2.13.0 numpy safetensors
    python scripts/references/residual.py

writes in Tests/NetworksTests/Fixtures, all answers in float64:

- residual.safetensors, residual:8-6x2-4: `parameters.<tensor>`, `inputs` [20, 8], `labels` [20], `logits` [20, 4],
  `loss` [1] (mean cross entropy), `gradient.<tensor>`; `losses` [5] before each of five full-batch steps of SGD
  (0.1, momentum 0.9, weight decay 1e-2 on all but the LayerNorms' weights and biases), `after.<tensor>` after them;
- layernorm.safetensors: `input` [7, 5], `weight` and `bias` [5], `output`, `cotangent` [7, 5], and the gradient of
  Σ output · cotangent as `gradient.input`, `gradient.weight`, `gradient.bias`. Rows 0–3 are ordinary; in row 4 ε is as
  large as the variance, row 5 is far from zero, row 6 is constant.

For round trips, a random network saved in float32 without metadata, and a strictly loaded one's float64 `logits`:

    python scripts/references/residual.py save ARCH OUT.safetensors SEED
    python scripts/references/residual.py logits ARCH CHECKPOINT.safetensors INPUTS.safetensors OUT.safetensors
"""

import argparse
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Tests/NetworksTests/Fixtures"


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, h):
        return h + self.down(torch.relu(self.up(self.norm(h))))


class Residual(nn.Module):
    def __init__(self, architecture):
        super().__init__()
        match = re.fullmatch(r"residual:(\d+)-(\d+)x(\d+)-(\d+)", architecture)
        assert match, f"{architecture}: not residual:I-WxB-O"
        inputs, width, blocks, outputs = map(int, match.groups())
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


def random_network(architecture, seed):
    """PyTorch's initialisation, except that the LayerNorms' weights and biases are not all 1 and 0."""
    torch.manual_seed(seed)
    network = Residual(architecture)
    for name, parameter in network.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, 1 if name.endswith("weight") else 0, 0.2)
    return network


def check_kinks(module, inputs):
    """A sum closer to zero than float32's rounding would pass the ReLU there and not here."""
    assert module.up(module.norm(inputs[0])).abs().min() > 1e-4


def residual_fixture():
    network = random_network("residual:8-6x2-4", seed=8)
    fixture = {f"parameters.{name}": value.clone() for name, value in network.state_dict().items()}
    fixture["inputs"] = torch.randn(20, network.stem.in_features)
    fixture["labels"] = torch.randint(network.head.out_features, (20,))
    inputs, labels = fixture["inputs"].double(), fixture["labels"]

    network.double()
    for block in network.blocks:
        block.register_forward_pre_hook(check_kinks)
    kept = [parameter for name, parameter in network.named_parameters() if "norm" in name]
    decayed = [parameter for name, parameter in network.named_parameters() if "norm" not in name]
    groups = [{"params": decayed, "weight_decay": 1e-2}, {"params": kept, "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    losses = []
    for step in range(5):
        optimizer.zero_grad()
        logits = network(inputs)
        loss = F.cross_entropy(logits, labels)
        losses.append(loss.item())
        loss.backward()
        if step == 0:
            fixture |= {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
            fixture |= {f"gradient.{name}": p.grad.clone() for name, p in network.named_parameters()}
        optimizer.step()
    fixture["losses"] = torch.tensor(losses, dtype=torch.float64)
    return fixture | {f"after.{name}": value for name, value in network.state_dict().items()}


def layernorm_fixture():
    torch.manual_seed(9)
    rows = torch.randn(7, 5)
    rows[4] *= 1.2e-2
    rows[5] += 30
    rows[6] = 0.5
    fixture = {"input": rows, "weight": 1 + 0.2 * torch.randn(5), "bias": 0.2 * torch.randn(5)}
    fixture["cotangent"] = torch.randn(7, 5)
    leaves = {name: fixture[name].double().requires_grad_() for name in ("input", "weight", "bias")}
    output = F.layer_norm(leaves["input"], (5,), leaves["weight"], leaves["bias"], eps=1e-5)
    (output * fixture["cotangent"].double()).sum().backward()
    return fixture | {"output": output.detach()} | {f"gradient.{name}": leaf.grad for name, leaf in leaves.items()}


def logits(architecture, checkpoint, inputs):
    network = Residual(architecture)
    network.load_state_dict(load_file(checkpoint), strict=True)
    with torch.no_grad():
        return network.double()(load_file(inputs)["inputs"].double())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", help="default: write the fixtures")
    for command, names in ("save", "arch out seed"), ("logits", "arch checkpoint inputs out"):
        subparser = commands.add_parser(command)
        for name in names.split():
            subparser.add_argument(name, metavar=name.upper(), type=int if name == "seed" else str)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    if arguments.command == "save":
        save_file(random_network(arguments.arch, arguments.seed).state_dict(), arguments.out)
    elif arguments.command == "logits":
        save_file({"logits": logits(arguments.arch, arguments.checkpoint, arguments.inputs)}, arguments.out)
    else:
        save_file(residual_fixture(), FIXTURES / "residual.safetensors")
        save_file(layernorm_fixture(), FIXTURES / "layernorm.safetensors")


if __name__ == "__main__":
    main()
