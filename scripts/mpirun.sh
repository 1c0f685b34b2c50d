#!/usr/bin/env bash
# mpirun with the environment that one machine needs; permavg is found in the build folder.
#
#   scripts/mpirun.sh -n 3 permavg run --output runs/first
#
# Relative paths are those of the folder it is started from.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/scripts/environment.sh"

[ -x "$root/.build/release/permavg" ] || "$root/scripts/build.sh"
export PATH="$root/.build/release:$PATH"
exec mpirun "$@"
