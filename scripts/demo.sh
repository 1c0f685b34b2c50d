#!/usr/bin/env bash
# The thesis' experiment at M = 3 on the real Fashion-MNIST: members, merges, student, table, report.
#
#   scripts/demo.sh [FOLDER]     by default runs/demo of the project, made anew each time
set -euo pipefail
output="${1:+$(realpath -m "$1")}"
cd "$(dirname "$0")/.."

scripts/build.sh
if [ -z "$output" ]; then
  output=runs/demo
  rm -rf "$output"
fi
scripts/mpirun.sh -n 3 permavg run --recipe thesis --output "$output"
