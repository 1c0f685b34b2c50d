#!/usr/bin/env bash
# Builds permavg for this machine's processor; MARCH=x86-64-v3 scripts/build.sh makes one for older hosts.
#
# The binary needs no Swift toolchain where it runs, so that it can be copied to compute nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh
swift build -c release --static-swift-stdlib --product permavg
echo "built $(pwd)/.build/release/permavg"
