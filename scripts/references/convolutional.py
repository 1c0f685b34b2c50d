"""Reference for convolutional networks: their layers, and the families lenet5, cnn, vgg11(bn), vgg16(bn), resnetNxK.

PyTorch computes in float64 from parameters and inputs that were first rounded to float32.

    pip install torch==2.13.0 numpy safetensors
    python scripts/references/convolutional.py

writes Tests/NetworksTests/Fixtures/convolutional.safetensors with two small networks, `first` and `second` (below, and in
ConvolutionalReferenceTests.swift as graphs), which between them have every layer and setting. Of each: `<net>.parameters.<tensor>`, buffers
among them, `inputs`, `labels`, and in training mode `logits`, `loss`, `gradient.<tensor>` and `after.<buffer>`; `inference`,
the logits in inference mode with these buffers.

    python scripts/references/convolutional.py train ARCHITECTURE CHECKPOINT BATCHES OUT

loads a checkpoint strictly into the family's network as PyTorch users write it, takes SGD steps (momentum 0.9, weight decay 5e-4 on all
but normalisations) on `inputs.<k>`, `labels.<k>` of BATCHES at its `rate`, and writes `losses`, the tensors at the end as
`after.<tensor>`, and `logits` of the first inputs in inference mode; and `losses32` and `logits32`, PyTorch's own in float32, which
tell how far rounding alone takes such a network.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/NetworksTests/Fixtures/convolutional.safetensors"


class First(nn.Module):
    """Strides, normalisation, a residual sum, channels of their own, pools that overlap, a flattened image."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.an = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.c = nn.Conv2d(8, 6, 1, groups=2)
        self.head = nn.Linear(6 * 3 * 3, 4)

    def forward(self, x):
        h = torch.relu(self.an(self.a(x)))
        h = torch.relu(h + self.bn(self.b(h)))
        h = self.c(F.max_pool2d(h, 3, stride=2, padding=1))
        return self.head(h.flatten(1))


class Second(nn.Module):
    """Dilation, a kernel that is no square, means of windows, the mean of all pixels, normalised vectors."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(1, 5, 3, padding=2, dilation=2)
        self.b = nn.Conv2d(5, 20, (3, 2), stride=2, padding=1)
        self.c = nn.Conv2d(20, 24, 3, bias=False)
        self.d = nn.Linear(24, 9)
        self.dn = nn.BatchNorm1d(9)
        self.head = nn.Linear(9, 4)

    def forward(self, x):
        h = F.avg_pool2d(torch.relu(self.a(x)), 3, stride=2, padding=1)
        h = F.max_pool2d(torch.relu(self.b(h)), 2, stride=1)
        h = F.adaptive_avg_pool2d(self.c(h), 1).flatten(1)
        return self.head(torch.relu(self.dn(self.d(h))))


class LeNet5(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        side = ((image[1] // 2 - 4) // 2) * ((image[2] // 2 - 4) // 2)
        self.conv1 = nn.Conv2d(image[0], 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16 * side, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


class CNN(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(image[0], 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(64 * (image[1] // 4) * (image[2] // 4), 128), nn.Linear(128, classes)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.relu(self.conv2(x)), 2).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


class VGG(nn.Module):
    STAGES = {
        "11": [[64], [128], [256, 256], [512, 512], [512, 512]],
        "16": [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]],
    }

    def __init__(self, depth, norms, image, classes):
        super().__init__()
        layers, inputs, side = [], image[0], min(image[1:])
        for stage in self.STAGES[depth]:
            for channels in stage:
                layers.append(nn.Conv2d(inputs, channels, 3, padding=1))
                layers += [nn.BatchNorm2d(channels)] if norms else []
                layers.append(nn.ReLU())
                inputs = channels
            if side > 1:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        self.features = nn.Sequential(*layers)
        with torch.no_grad():
            size = self.features.eval()(torch.zeros(1, *image)).numel()
        self.classifier = nn.Linear(size, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Block(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = nn.Identity()
        if stride == 2:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride=2, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        h = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.downsample(x) + self.bn2(self.conv2(h)))


class ResNet(nn.Module):
    def __init__(self, blocks, width, image, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(image[0], 16 * width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16 * width)
        inputs = 16 * width
        for stage in (1, 2, 3):
            channels = (8 << stage) * width
            made = []
            for block in range(blocks):
                made.append(Block(inputs, channels, 2 if stage > 1 and block == 0 else 1))
                inputs = channels
            setattr(self, f"layer{stage}", nn.Sequential(*made))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def family(architecture):
    name, _, images = architecture.partition(":")
    image, classes = [1, 28, 28], 10
    if images:
        size, _, classes = images.partition("-")
        image, classes = [int(side) for side in size.split("x")], int(classes)
    if name == "lenet5":
        return LeNet5(image, classes)
    if name == "cnn":
        return CNN(image, classes)
    if match := re.fullmatch(r"vgg(11|16)(bn)?", name):
        return VGG(match[1], bool(match[2]), image, classes)
    match = re.fullmatch(r"resnet(\d+)(?:x(\d+))?", name)
    assert match, architecture
    return ResNet(int(match[1]) // 6, int(match[2] or 1), image, classes)


def fixture():
    torch.manual_seed(4)
    random = np.random.default_rng(4)
    result = {}
    for name, network, image in [("first", First(), (3, 9, 10)), ("second", Second(), (1, 14, 13))]:
        for parameter in [*network.parameters(), *network.buffers()]:
            if parameter.ndim == 1:
                nn.init.uniform_(parameter, 0.5, 1.5)
        inputs = torch.tensor(random.normal(size=(6, *image)), dtype=torch.float32)
        labels = torch.tensor(random.integers(0, 4, 6))
        for key, value in network.state_dict().items():
            result[f"{name}.parameters.{key}"] = value.clone()
        network.double().train()
        logits = network(inputs.double())
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        result |= {f"{name}.gradient.{key}": value.grad for key, value in network.named_parameters()}
        result |= {f"{name}.after.{key}": value for key, value in network.named_buffers()}
        network.eval()
        result |= {
            f"{name}.inputs": inputs,
            f"{name}.labels": labels,
            f"{name}.logits": logits.detach(),
            f"{name}.loss": loss.detach().reshape(1),
            f"{name}.inference": network(inputs.double()).detach(),
        }
    save_file({key: value.contiguous().clone() for key, value in result.items()}, FIXTURE)


def steps(architecture, checkpoint, given, kind):
    network = family(architecture)
    network.load_state_dict(load_file(checkpoint), strict=True)
    network.to(kind).train()
    norms = [p for m in network.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()]
    others = [p for p in network.parameters() if not any(p is n for n in norms)]
    groups = [{"params": others, "weight_decay": 5e-4}]
    if norms:
        groups.append({"params": norms, "weight_decay": 0})
    optimizer = torch.optim.SGD(groups, lr=given["rate"].item(), momentum=0.9)
    losses, k = [], 0
    while f"inputs.{k}" in given:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(given[f"inputs.{k}"].to(kind)), given[f"labels.{k}"])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        k += 1
    network.eval()
    logits = network(given["inputs.0"].to(kind)).detach()
    return network, torch.tensor(losses, dtype=torch.float64), logits.double()


def train(architecture, checkpoint, batches, out):
    given = load_file(batches)
    network, losses, logits = steps(architecture, checkpoint, given, torch.float64)
    _, losses32, logits32 = steps(architecture, checkpoint, given, torch.float32)
    result = {"losses": losses, "logits": logits, "losses32": losses32, "logits32": logits32}
    result |= {f"after.{key}": value for key, value in network.state_dict().items()}
    save_file({key: value.contiguous().clone() for key, value in result.items()}, out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", nargs="*")
    command = parser.parse_args().command
    if not command:
        return fixture()
    assert command[0] == "train" and len(command) == 5, command
    torch.set_num_threads(1)
    train(*command[1:])


if __name__ == "__main__":
    main()
