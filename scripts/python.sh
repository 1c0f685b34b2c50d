#!/usr/bin/env bash
# Makes a Python environment in a folder, unless it already imports what is asked for.
#
#   scripts/python.sh FOLDER "MODULE, MODULE …" PACKAGE…
set -euo pipefail
folder="$1" modules="$2"
shift 2

if ! "$folder/bin/python" -c "import $modules" 2>/dev/null; then
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  fi
  python3 -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
fi
