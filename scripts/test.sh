#!/usr/bin/env bash
# All tests: the libraries, MPI under 1, 2, 3 and 5 ranks, and the program under mpirun on real data.
#
# Checks against Python's safetensors and PyTorch run once scripts/references/environment.sh has made a
# Python that has them, or where PERMAVG_PYTHON names one; elsewhere they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

scripts/packages.sh
if [ -x .build-python/bin/python ]; then
  export PERMAVG_PYTHON="${PERMAVG_PYTHON:-$PWD/.build-python/bin/python}"
fi
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
