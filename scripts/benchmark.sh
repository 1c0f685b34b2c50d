#!/usr/bin/env bash
# Times permavg against PyTorch, SciPy and lapx on this machine, in turns, and prints a table.
#
#   scripts/benchmark.sh [--quick] [--only TEXT] [OUTPUT.json]
#
# --quick took five and a half minutes on 2 cores; all of it is several times that. Needs a machine that does nothing else: the last column tells.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

scripts/build.sh

scripts/python.sh .build-benchmark "lap, numpy, safetensors, scipy, torch" \
  torch==2.13.0 numpy scipy lapx safetensors
exec .build-benchmark/bin/python scripts/benchmarks/compare.py "$@"
