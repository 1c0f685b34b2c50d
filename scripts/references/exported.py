"""Small networks of architectures that no family of ours has, exported as graphs, and run to compare their checkpoints.

    python scripts/references/exported.py save NAME FOLDER        NAME.json and a.safetensors, drawn at random
    python scripts/references/exported.py difference NAME A B     how far two checkpoints' outputs are apart, relative
    python scripts/references/exported.py type NAME TYPE IN OUT   the same network as float16, bfloat16 or float64

NAME is resnet, depthwise, dense, vit, tied or odd.
"""

import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import export_graph


class Block(nn.Module):
    """A residual block that halves the image, with a projection beside it."""
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.project = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        h = functional.relu_(self.norm1(self.conv1(x)))
        h = self.norm2(self.conv2(h))
        h += self.project(x)
        return functional.relu_(h)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(8, 12), Block(12, 16))
        self.head = nn.Linear(16 * 4, 5)

    def forward(self, x):
        return self.head(torch.flatten(functional.max_pool2d(self.blocks(self.stem(x)), 3, 1, 1), 1))


class Depthwise(nn.Module):
    """An inverted residual with squeeze and excitation, a grouped convolution and GroupNorm."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.Hardswish())
        self.expand = nn.Sequential(nn.Conv2d(6, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU6())
        self.depthwise = nn.Sequential(
            nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False), nn.BatchNorm2d(24), nn.SiLU())
        self.squeeze, self.excite = nn.Conv2d(24, 5, 1), nn.Conv2d(5, 24, 1)
        self.project = nn.Sequential(nn.Conv2d(24, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.grouped = nn.Sequential(nn.Conv2d(6, 12, 3, groups=3), nn.GroupNorm(3, 12), nn.GELU())
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = self.stem(x)
        h = self.depthwise(self.expand(x))
        scale = torch.sigmoid(self.excite(functional.relu(self.squeeze(functional.adaptive_avg_pool2d(h, 1)))))
        x = x + self.project(h * scale)
        return self.head(self.grouped(x).mean([2, 3]))


class Dense(nn.Module):
    """Concatenation: what came before is kept beside what is new; and a part is taken out again."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(6), nn.BatchNorm2d(10), nn.BatchNorm2d(14)])
        self.convs = nn.ModuleList([nn.Conv2d(6, 4, 3, padding=1), nn.Conv2d(10, 4, 3, padding=1)])
        self.mix = nn.Conv2d(14, 16, 1)
        self.head = nn.Linear(8 * 4 * 4, 4)

    def forward(self, x):
        found = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs):
            found.append(conv(functional.relu(norm(torch.cat(found, 1)))))
        h = self.mix(functional.relu(self.norms[2](torch.cat(found, 1))))
        a, b = h.chunk(2, 1)
        return self.head(functional.avg_pool2d(a * torch.tanh(b), 2).reshape(x.shape[0], -1))


class Attention(nn.Module):
    """Self-attention with queries, keys and values from one dense layer."""
    def __init__(self, width, heads, is_causal=False):
        super().__init__()
        self.heads, self.is_causal = heads, is_causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        h = functional.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)
        return self.out(h.transpose(1, 2).reshape(n, tokens, width))


class Layer(nn.Module):
    def __init__(self, width, heads, is_causal=False):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, is_causal)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.places = nn.Parameter(torch.randn(1, 5, 24))
        self.layers = nn.Sequential(Layer(24, 4), Layer(24, 4))
        self.norm, self.head = nn.LayerNorm(24), nn.Linear(24, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.layers(x))[:, 0])


class Tied(nn.Module):
    """A causal language model whose table of tokens is its head, with a table of whole numbers as a buffer."""
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 12), nn.Linear(12, 11, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("order", torch.arange(7))
        self.places = nn.Embedding(7, 12)
        self.layer = Layer(12, 3, is_causal=True)

    def forward(self, tokens):
        return self.head(self.layer(self.embed(tokens) + self.places(self.order)))


class Odd(nn.Module):
    """Operators that the other networks do without."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.PReLU(16), nn.InstanceNorm2d(16, affine=True))
        self.up = nn.ConvTranspose2d(16, 12, 2, stride=2, groups=2)
        self.shuffle = nn.Sequential(nn.Conv2d(12, 20, 3, stride=4, padding=1), nn.PixelShuffle(2))
        self.gate = nn.Conv2d(5, 18, 1)
        self.table = nn.Parameter(torch.randn(4, 9))
        self.register_buffer("rows", torch.tensor([3, 1, 0, 2, 1]))
        self.scale = nn.Parameter(torch.randn(1, 9, 1, 1))
        self.q, self.kv, self.out = nn.Linear(9, 24), nn.Linear(9, 24), nn.Linear(24, 9)
        self.norm = nn.RMSNorm(9)
        self.experts = nn.Parameter(torch.randn(6, 9, 7))
        self.choose, self.join = nn.Linear(9, 6), nn.Linear(7, 8)
        self.head = nn.Linear(16 + 3, 4)

    def attend(self, x):
        """Four heads of queries, of which two in turn share one of keys and values."""
        n, tokens, _ = x.shape
        q = self.q(x).unflatten(-1, (4, 6)).transpose(1, 2)
        k, v = (part.unflatten(-1, (2, 6)).transpose(1, 2) for part in self.kv(x).split(12, -1))
        k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
        weights = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) / 6 ** 0.5, -1)
        return self.out((weights @ v).movedim(1, 2).flatten(2))

    def forward(self, x):
        x = functional.pad(self.stem(x), (1, 1, 1, 1))[:, :, 1:-1, 1:-1]
        x = functional.glu(self.gate(functional.leaky_relu(self.shuffle(self.up(x)))), 1)
        x = torch.roll(x, (1,), (2,)) * self.scale
        tokens = x.flatten(2).permute(0, 2, 1)[:, :5] + self.table[self.rows]
        tokens = tokens + self.attend(self.norm(tokens))
        share = torch.softmax(self.choose(tokens), -1)
        mixed = torch.einsum("bte,edk,btd->btk", share, self.experts, tokens)
        h = torch.stack([self.join(mixed), self.join(mixed).square()], 0).sum(0).amax(1)
        h = torch.cat([functional.pad(h, (1, 2)), functional.normalize(h, dim=-1)], -1)
        return self.head(torch.where(h > 0.05, h, h.clamp(-1, 1) * 0.3))


MODELS = {"resnet": ResNet, "depthwise": Depthwise, "dense": Dense, "vit": ViT, "tied": Tied, "odd": Odd}


def make(name):
    torch.manual_seed(7)
    model = MODELS[name]()
    export_graph.randomize(model, 8)
    generator = torch.Generator().manual_seed(9)
    if name == "tied":
        return model, (torch.randint(11, (2, 7), generator=generator),)
    return model, (torch.randn(2, 3, 8, 8, generator=generator),)


def main():
    command, name, *rest = sys.argv[1:]
    model, inputs = make(name)
    if command == "save":
        folder = pathlib.Path(rest[0])
        export_graph.export_graph(model, inputs, folder / f"{name}.json", tensors=folder / "a.safetensors")
    elif command == "difference":
        print(export_graph.difference(model, inputs, *rest))
    elif command == "type":
        tensors = load_file(rest[1])
        kind = getattr(torch, rest[0])
        save_file({n: t.to(kind) if t.is_floating_point() else t for n, t in tensors.items()}, rest[2])


if __name__ == "__main__":
    main()
