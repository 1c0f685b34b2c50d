"""Round trip of a safetensors file through Python's safetensors: same tensors, same metadata, written anew.

    pip install numpy safetensors
    python scripts/references/roundtrip.py IN.safetensors OUT.safetensors

A file written by the package must open here, and what is written here must open in the package, with equal bytes
in every tensor. (The bytes of the whole file may differ: the order of tensors is free.)
"""

import argparse

from safetensors import safe_open
from safetensors.numpy import save_file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", metavar="IN.safetensors")
    parser.add_argument("output", metavar="OUT.safetensors")
    arguments = parser.parse_args()

    with safe_open(arguments.input, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    save_file(tensors, arguments.output, metadata=metadata)


if __name__ == "__main__":
    main()
