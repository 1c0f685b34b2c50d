#!/usr/bin/env bash
# All tests: the libraries, MPI under 1, 2, 3 and 5 ranks, and the program under mpirun on real data.
#
# Checks against Python run where PERMAVG_PYTHON (default python3) has numpy, safetensors and torch;
# `scripts/references/environment.sh` makes such a Python.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

scripts/packages.sh
export WARNINGS_AS_ERRORS=1
swift build --build-tests

# Open MPI's own checks: of every argument, and for handles that are not freed.
export OMPI_MCA_mpi_param_check=1 OMPI_MCA_mpi_show_handle_leaks=1
bundle="$(swift build --build-tests --show-bin-path)/PermAVGPackageTests.xctest"
for ranks in 2 3 5; do
  echo "MPI tests on $ranks ranks"
  timeout -k 5 300 mpirun -n "$ranks" "$bundle" --testing-library swift-testing --filter MPITests
done
timeout -k 5 1000 swift test --skip-build --disable-xctest
