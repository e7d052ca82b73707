#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: sanitize.sh TOOL FAULTS PROGRAM [ARGUMENT...]
# Runs a tool of compute-sanitizer over FAULTS, where it must find the planted one, then over PROGRAM, where it must
# find none. Exits with 77 without the tool or a GPU.
set -u
tool=$1 faults=$2
shift 2
if ! command -v compute-sanitizer >/dev/null; then
  echo "no compute-sanitizer: skipped"
  exit 77
fi
found=9
compute-sanitizer --tool "$tool" --error-exitcode "$found" "$faults" "$tool"
case $? in
  "$found") ;;
  77) exit 77 ;;
  *)
    echo "$tool found no fault where one is planted" >&2
    exit 1
    ;;
esac
compute-sanitizer --tool "$tool" --error-exitcode "$found" "$@"
