#!/usr/bin/env bash
# Checks the form of all Swift files; `scripts/lint.sh --fix` mends what it can.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --fix ]; then
  swift format --in-place --recursive Sources Tests Package.swift
fi
swift format lint --strict --recursive Sources Tests Package.swift
