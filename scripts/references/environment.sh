#!/usr/bin/env bash
# Makes a Python with what the reference scripts and the tests against Python need, in .build-python.
#
# scripts/test.sh uses it once it is there; PERMAVG_PYTHON names another.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.build-python/bin/python
if ! "$python" -c 'import numpy, safetensors, scipy, torch' 2>/dev/null; then
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  fi
  python3 -m venv .build-python
  "$python" -m pip install --quiet --disable-pip-version-check numpy scipy safetensors torch==2.13.0
fi
"$python" -c 'import torch; print("references: PyTorch", torch.__version__)'
