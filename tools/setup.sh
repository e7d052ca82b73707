#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building dwconv's examples, tests and benchmarks takes on Debian or Ubuntu, by apt, where it is
# missing. Not the CUDA Toolkit: that has to be there.
set -euo pipefail

packages=(cmake ninja-build g++ python3 catch2 libboost-context-dev libbenchmark-dev libpng-dev doxygen)

if ! command -v nvcc >/dev/null && ! [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; then
  echo "setup: no nvcc on PATH or in ${CUDA_HOME:-/usr/local/cuda}/bin: install the CUDA Toolkit 12.4 or newer" >&2
  exit 1
fi
if ! command -v dpkg-query >/dev/null; then
  echo "setup: no dpkg here; install these packages yourself: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  echo "setup: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

required=3.25
found=$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
if [ "$(printf '%s\n' "$required" "$found" | sort --version-sort | head -n 1)" != "$required" ]; then
  echo "setup: CMake is $found, must be at least $required" >&2
  exit 1
fi
echo "setup: done"
