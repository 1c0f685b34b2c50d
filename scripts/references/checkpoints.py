"""Checkpoints both ways between PyTorch and the package, compared on the Fashion-MNIST test set.

    pip install torch==2.13.0 numpy safetensors
    python scripts/references/checkpoints.py DIR
    python scripts/references/checkpoints.py --load FILE

The first form trains three small networks for one epoch, as a PyTorch user would write them, and saves their
state dicts in DIR: `sequential` (names `0.weight`, `2.weight`), `attributes` (`fc1.weight`, `fc2.weight`), both
784-64-10, and `deep` (`linears.0.weight` … `linears.11.weight`: twelve layers, so that only the natural order of
the names, 9 before 10, gives the right network). DIR/expected.json says for each what PyTorch measured on the
test set; `<name>.logits.safetensors` holds its `logits` [10000, 10].

The second form loads a file the package wrote (`layers.0.weight`, …) strictly into a PyTorch module and prints
{"architecture", "correct", "nll"} for the test set as JSON. Inputs are (x/255 − mean)/std with mean and std from the
file's metadata `normalization` ("mean,std"), else 0.5 and 0.5.

`--data` names the folder with the four IDX files; its default is where the Debian package dataset-fashion-mnist
puts them. One thread; under ten seconds.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

DATA = "/usr/share/datasets/fashion-mnist"
NORMALIZATION = (0.5, 0.5)
BATCH = 128


class Attributes(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [784] + 11 * [32] + [10]
        self.linears = nn.ModuleList(nn.Linear(i, o) for i, o in zip(widths, widths[1:]))

    def forward(self, x):
        for linear in self.linears[:-1]:
            x = torch.relu(linear(x))
        return self.linears[-1](x)


class Network(nn.Module):
    """The module a PyTorch user would write for a file of the package: `layers.N.weight`, `layers.N.bias`."""

    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def read_idx(path):
    """An IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes (big-endian), the values."""
    content = gzip.decompress(path.read_bytes())
    assert content[:3] == b"\0\0\x08", f"{path}: not an IDX file of unsigned bytes"
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_split(folder, prefix, normalization):
    mean, std = normalization
    images = read_idx(Path(folder) / f"{prefix}-images-idx3-ubyte.gz").reshape(-1, 784)
    labels = read_idx(Path(folder) / f"{prefix}-labels-idx1-ubyte.gz")
    inputs = (torch.from_numpy(images.astype(np.float32)) / 255 - mean) / std
    return inputs, torch.from_numpy(labels.astype(np.int64))


def train(network, inputs, labels):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for batch in torch.randperm(len(inputs)).split(BATCH):
        optimizer.zero_grad()
        F.cross_entropy(network(inputs[batch]), labels[batch]).backward()
        optimizer.step()


def evaluate(network, inputs, labels):
    with torch.no_grad():
        logits = network(inputs)
    correct = (logits.argmax(dim=1) == labels).sum().item()
    nll = F.cross_entropy(logits.double(), labels).item()
    return logits, {"correct": correct, "nll": nll}


def write_checkpoints(directory, data):
    directory.mkdir(parents=True, exist_ok=True)
    inputs, labels = read_split(data, "train", NORMALIZATION)
    test_inputs, test_labels = read_split(data, "t10k", NORMALIZATION)
    makers = {
        "sequential": lambda: nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)),
        "attributes": Attributes,
        "deep": Deep,
    }
    expected = {}
    for seed, (name, make) in enumerate(makers.items()):
        torch.manual_seed(seed)
        network = make()
        train(network, inputs, labels)
        logits, measured = evaluate(network, test_inputs, test_labels)
        save_file(network.state_dict(), directory / f"{name}.safetensors")
        save_file({"logits": logits}, directory / f"{name}.logits.safetensors")
        expected[f"{name}.safetensors"] = measured | {"logits": f"{name}.logits.safetensors"}
    (directory / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def load_checkpoint(path, data):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        parameters = {name: file.get_tensor(name) for name in file.keys()}
    depth = sum(name.endswith(".weight") for name in parameters)
    weights = [parameters[f"layers.{index}.weight"] for index in range(depth)]
    widths = [weights[0].shape[1]] + [weight.shape[0] for weight in weights]
    network = Network(widths)
    network.load_state_dict(parameters, strict=True)

    normalization = NORMALIZATION
    if "normalization" in metadata:
        normalization = tuple(float(value) for value in metadata["normalization"].split(","))
    _, measured = evaluate(network, *read_split(data, "t10k", normalization))
    print(json.dumps({"architecture": "-".join(map(str, widths))} | measured))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", metavar="DIR", nargs="?", type=Path, help="where to write the checkpoints")
    parser.add_argument("--load", metavar="FILE", help="a checkpoint of the package to evaluate instead")
    parser.add_argument("--data", default=DATA, help="folder of the IDX files (default: %(default)s)")
    arguments = parser.parse_args()
    if (arguments.directory is None) == (arguments.load is None):
        parser.error("give either DIR or --load FILE")

    torch.set_num_threads(1)
    if arguments.load:
        load_checkpoint(arguments.load, arguments.data)
    else:
        write_checkpoints(arguments.directory, arguments.data)


if __name__ == "__main__":
    main()
