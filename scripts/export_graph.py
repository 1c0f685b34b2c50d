"""Writes the graph of a PyTorch model as JSON, for `permavg merge --graph` and `permavg verify --graph`.

The graph is what `torch.export` sees of the model: operators, what they read, and which tensors of the state dict they
read, by name. From a program:

    from export_graph import export_graph
    export_graph(model, (torch.zeros(2, 3, 224, 224),), "net.json", tensors="net.safetensors")

or from a shell, where `--model` names a function that makes the model:

    python scripts/export_graph.py --model torchvision.models:resnet18 --input 2,3,224,224 net.json
    python scripts/export_graph.py --model torchvision.models:resnet18 --input 2,3,224,224 net.json \
        --check a.safetensors b.safetensors

`--check` loads both files into the model and compares what it puts out, which permuting units must not change.
"""

import argparse
import importlib
import json
import math
import os
import sys

import torch
from safetensors.torch import load_file, save_file

TYPES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}


def tied_names(model):
    """The names of the state dict, those of one tensor together, with the tensor."""
    found = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else name
        found.setdefault(key, ([], tensor))[0].append(name)
    return list(found.values())


def export_graph(model, example_inputs, path, tensors=None):
    """Writes the graph of a model in evaluation as JSON.

    Arguments:
        model: an nn.Module.
        example_inputs: a tuple of what it is called with; two samples are better than one, which looks like no batch.
        path: the file of JSON to write.
        tensors: a safetensors file to write the state dict to; of tied tensors it holds the first.
    """
    was_training = model.training
    model.eval()
    program = torch.export.export(model, example_inputs, strict=False)
    model.train(was_training)
    tied = tied_names(model)
    first = {name: names[0] for names, _ in tied for name in names}
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    graph = {
        "format": "permavg-graph", "version": 1, "model": type(model).__name__, "exporter": f"torch {torch.__version__}",
        "tensors": [
            {"names": names, "shape": list(tensor.shape), "type": TYPES[tensor.dtype],
             "kind": "parameter" if names[0] in parameters else "buffer"} for names, tensor in tied],
        "inputs": [], "constants": [], "nodes": [], "outputs": [],
    }
    # What each placeholder stands for: a tensor of the state dict, or something that has no place in it.
    stands_for = {spec.arg.name: spec.target for spec in program.graph_signature.input_specs if spec.target in first}
    inputs = {spec.arg.name for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"}

    def argument(value):
        if isinstance(value, torch.fx.Node):
            if value.name in stands_for:
                return {"tensor": first[stands_for[value.name]]}
            return {"value": value.name}
        if isinstance(value, (list, tuple)):
            return [argument(item) for item in value]
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        return str(value)

    def shapes(value):
        if isinstance(value, torch.Tensor):
            return [[int(size) for size in value.shape]]
        if isinstance(value, (list, tuple)):
            # A value that is left out keeps its place.
            return [shape for item in value for shape in shapes(item) or [[]]]
        return []

    def named_arguments(node):
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            given = {f"argument{number}": value for number, value in enumerate(node.args)}
        else:
            given = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
            given.update((a.name, value) for a, value in zip(schema.arguments, node.args))
        return {**given, **node.kwargs}

    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in stands_for:
                kind = "inputs" if node.name in inputs else "constants"
                graph[kind].append({"name": node.name, "shape": (shapes(node.meta.get("val")) or [[]])[0]})
        elif node.op == "get_attr":
            graph["constants"].append({"name": node.name, "shape": (shapes(node.meta.get("val")) or [[]])[0]})
        elif node.op == "call_function":
            is_part = getattr(node.target, "__name__", "") == "getitem"
            graph["nodes"].append({
                "name": node.name, "operator": "getitem" if is_part else str(node.target),
                "arguments": {name: argument(value) for name, value in named_arguments(node).items()},
                "shapes": shapes(node.meta.get("val"))})
        elif node.op == "output":
            torch.fx.map_arg(node.args, lambda read: graph["outputs"].append(read.name))
    graph["outputs"] = [name for name in graph["outputs"] if name not in stands_for]
    with open(path, "w") as file:
        json.dump(graph, file, separators=(",", ":"))
    if tensors:
        save_file({names[0]: tensor.detach().contiguous() for names, tensor in tied}, tensors)


def load(model, path):
    """Loads a safetensors file, of whose tied tensors one is enough; anything missing or left over is an error."""
    given = load_file(path)
    state = {}
    for names, _ in tied_names(model):
        there = [name for name in names if name in given]
        state.update((name, given[there[0]]) for name in names if there)
    state.update((name, tensor) for name, tensor in given.items() if name not in state)
    model.load_state_dict(state, strict=True)
    return model


def difference(model, example_inputs, a, b):
    """How far two files' outputs are apart, as a share of the largest output."""
    def outputs(path):
        load(model, path).eval()
        with torch.no_grad():
            found = model(*example_inputs)
        found = list(found.values()) if isinstance(found, dict) else found
        return found if isinstance(found, (list, tuple)) else [found]
    first, second = outputs(a), outputs(b)
    largest = max(float(value.abs().max()) for value in first)
    return max(float((x - y).abs().max()) for x, y in zip(first, second)) / largest


def randomize(model, seed):
    """Draws what a new model sets to constants (norms, statistics, scales), which would hide that it was permuted wrongly."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, tensor in tied_names(model):
            if tensor.is_floating_point() and tensor.numel() > 1 and bool((tensor == tensor.reshape(-1)[0]).all()):
                value = float(tensor.reshape(-1)[0])
                noise = torch.rand(tensor.shape, generator=generator)
                tensor.copy_(max(abs(value), 0.1) * (0.5 + noise) if value else 0.2 * (noise - 0.5))


def make(name, arguments):
    module, _, factory = name.partition(":")
    sys.path.insert(0, os.getcwd())
    return getattr(importlib.import_module(module), factory)(**arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graph", help="file of JSON to write")
    parser.add_argument("--model", required=True, help="package.module:factory of the model")
    parser.add_argument("--arguments", type=json.loads, default={}, help="the factory's, as JSON")
    parser.add_argument("--input", action="append", required=True, help="shape of an input: 2,3,224,224")
    parser.add_argument("--integers", type=int, help="inputs are whole numbers below this, such as tokens")
    parser.add_argument("--tensors", help="safetensors file to write the state dict to")
    parser.add_argument("--seed", type=int, default=0, help="of the model's weights and of the inputs")
    parser.add_argument("--randomize", action="store_true", help="draw what a new model sets to constants")
    parser.add_argument("--check", nargs=2, metavar="FILE", help="compare the outputs of two files, and write nothing")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="the largest difference allowed, relative")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    model = make(options.model, options.arguments)
    if options.randomize:
        randomize(model, options.seed)
    shapes = [[int(size) for size in shape.split(",")] for shape in options.input]
    if options.integers:
        inputs = tuple(torch.randint(options.integers, shape) for shape in shapes)
    else:
        inputs = tuple(torch.randn(shape) for shape in shapes)
    if options.check:
        relative = difference(model, inputs, *options.check)
        print(f"{relative:.2e} of the largest output")
        sys.exit(0 if relative < options.tolerance else 1)
    export_graph(model, inputs, options.graph, options.tensors)


if __name__ == "__main__":
    main()
