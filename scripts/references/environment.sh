#!/usr/bin/env bash
# Makes a Python with what the reference scripts and the tests against Python need, in .build-python.
#
# scripts/test.sh uses it once it is there; PERMAVG_PYTHON names another.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/python.sh .build-python "numpy, safetensors, scipy, torch" \
  numpy scipy safetensors torch==2.13.0
.build-python/bin/python -c 'import torch; print("references: PyTorch", torch.__version__)'
