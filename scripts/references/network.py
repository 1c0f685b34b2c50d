"""Reference for the Networks target: one small MLP's forward pass, losses, gradients, optimisers and schedules.

PyTorch computes everything in float64 from parameters and inputs that were first rounded to float32, so a
float32 implementation starts from exactly the same numbers and is compared with an answer free of rounding.

    pip install torch==2.13.0 numpy safetensors
    python scripts/references/network.py

writes Tests/NetworksTests/Fixtures/network.safetensors. Network: 12-9-7-5, ReLU; batch of 16.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/NetworksTests/Fixtures/network.safetensors"
WIDTHS = [12, 9, 7, 5]
BATCH = 16
STEPS = 10
TEMPERATURE = 3.0
ALPHA = 0.5


class MLP(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def fresh(parameters):
    """A float64 network that starts from the given float32 parameters."""
    network = MLP(WIDTHS).double()
    network.load_state_dict(parameters)
    return network


def train(parameters, inputs, labels, make_optimizer):
    """The loss before each of the ten full-batch steps, and the parameters after them."""
    network = fresh(parameters)
    optimizer = make_optimizer(network.parameters())
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(inputs), labels)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return torch.tensor(losses), network.state_dict()


def cosine(period, steps=100, base=0.1):
    """The learning rate used at each step when CosineAnnealingLR(T_max=period) is stepped once a step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=period)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(rates, dtype=torch.float64)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(20)
    parameters = {name: value.clone() for name, value in MLP(WIDTHS).state_dict().items()}
    inputs = torch.randn(BATCH, WIDTHS[0])
    labels = torch.randint(WIDTHS[-1], (BATCH,))
    teacher = torch.softmax(4 * torch.randn(BATCH, WIDTHS[-1], dtype=torch.float64) / TEMPERATURE, dim=1).float()

    fixture = dict(parameters)
    fixture["inputs"] = inputs
    fixture["labels"] = labels
    x = inputs.double()

    network = fresh(parameters)
    logits = network(x)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    fixture["logits"] = logits.detach()
    fixture["loss"] = loss.detach().reshape(1)
    for name, parameter in network.named_parameters():
        fixture[f"gradient.{name}"] = parameter.grad

    optimizers = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2),
        "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    }
    for name, make_optimizer in optimizers.items():
        losses, trained = train(parameters, x, labels, make_optimizer)
        fixture[f"{name}.losses"] = losses
        fixture |= {f"{name}.{key}": value for key, value in trained.items()}

    # The student's logits are the stored ones, so this part does not depend on the forward pass under test.
    z = fixture["logits"].float().double().requires_grad_()
    soft = F.kl_div(F.log_softmax(z / TEMPERATURE, dim=1), teacher.double(), reduction="batchmean")
    distillation = ALPHA * TEMPERATURE**2 * soft + (1 - ALPHA) * F.cross_entropy(z, labels)
    distillation.backward()
    fixture["teacher"] = teacher
    fixture["distillation.loss"] = distillation.detach().reshape(1)
    fixture["distillation.gradient"] = z.grad

    fixture = {name: value if name == "labels" else value.float() for name, value in fixture.items()}
    fixture["schedule.thesis"] = cosine(20)
    fixture["schedule.cosine"] = cosine(100)

    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FIXTURE)


if __name__ == "__main__":
    main()
