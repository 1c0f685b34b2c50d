#!/usr/bin/env bash
# Times permavg against PyTorch, SciPy and lapx on this machine, in turns, and prints a table.
#
#   scripts/benchmark.sh [--quick] [--only TEXT] [OUTPUT.json]
#
# About fifteen minutes, --quick about three. Needs a machine that does nothing else: the last column tells.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

scripts/build.sh

python=.build-benchmark/bin/python
if ! "$python" -c 'import lap, numpy, safetensors, scipy, torch' 2>/dev/null; then
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  fi
  python3 -m venv .build-benchmark
  "$python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy scipy lapx safetensors
fi
exec "$python" scripts/benchmarks/compare.py "$@"
