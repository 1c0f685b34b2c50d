"""Checkpoints of PyTorch merged by the package, and loaded by PyTorch again.

    pip install torch==2.13.0 safetensors
    python scripts/references/merge.py DIR
    permavg merge DIR/a.safetensors DIR/b.safetensors DIR/c.safetensors --output DIR/merged.safetensors
    python scripts/references/merge.py DIR --load DIR/merged.safetensors

The first form saves the state dicts of three `nn.Sequential` networks 784-48-24-10 (names `0.weight`, `2.weight`,
`4.weight`) in DIR: `a`, and `b` and `c`, which are `a` with its hidden units permuted and a little noise, so that a
merge that lines units up comes near `a`. `inputs.safetensors` holds random `inputs` [64, 784], and the `logits`
[64, 10] of `a` for them.

The second form loads a merged file strictly into the same `nn.Sequential` and saves its `logits` for the inputs in
DIR/logits.safetensors.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

WIDTHS = [784, 48, 24, 10]
NOISE = 1e-3


def network():
    linears = [nn.Linear(i, o) for i, o in zip(WIDTHS, WIDTHS[1:])]
    return nn.Sequential(linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])


def permuted(state):
    """The state dict with its hidden units in another order: rows of a layer and columns of the next."""
    state = dict(state)
    for layer, next_layer in [(0, 2), (2, 4)]:
        order = torch.randperm(len(state[f"{layer}.bias"]))
        for name in (f"{layer}.weight", f"{layer}.bias"):
            state[name] = state[name][order]
        state[f"{next_layer}.weight"] = state[f"{next_layer}.weight"][:, order].contiguous()
    return {name: tensor + NOISE * torch.randn_like(tensor) for name, tensor in state.items()}


def write_checkpoints(directory):
    torch.manual_seed(6)
    model = network()
    # Larger weights than a fresh network's, so that its logits are not all alike.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    save_file(state, directory / "a.safetensors")
    for name in ("b", "c"):
        save_file(permuted(state), directory / f"{name}.safetensors")
    inputs = torch.randn(64, WIDTHS[0])
    with torch.no_grad():
        save_file({"inputs": inputs, "logits": model(inputs)}, directory / "inputs.safetensors")


def load_checkpoint(directory, path):
    model = network()
    model.load_state_dict(load_file(path), strict=True)
    inputs = load_file(directory / "inputs.safetensors")["inputs"]
    with torch.no_grad():
        save_file({"logits": model(inputs)}, directory / "logits.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", metavar="DIR", type=Path, help="where the files lie")
    parser.add_argument("--load", metavar="FILE", help="a merged checkpoint to run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.load:
        load_checkpoint(arguments.directory, arguments.load)
    else:
        write_checkpoints(arguments.directory)


if __name__ == "__main__":
    main()
