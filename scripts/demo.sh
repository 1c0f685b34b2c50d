#!/usr/bin/env bash
# The thesis' experiment at M = 3 on the real Fashion-MNIST: members, merges, student, table, report.
#
#   scripts/demo.sh [FOLDER]     by default runs/demo, made anew each time
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

output="${1:-runs/demo}"
scripts/build.sh
[ "$output" != runs/demo ] || rm -rf runs/demo
scripts/mpirun.sh -n 3 permavg run --recipe thesis --output "$output"
