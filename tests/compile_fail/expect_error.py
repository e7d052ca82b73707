#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles a source twice: once so that it must compile, once so that it must fail as expected.

usage: expect_error.py REGEX COMPILER ARGUMENT... --pass ARGUMENT... --fail ARGUMENT...

The first compilation shows that the second fails for what differs, not for a missing header.
"""
import re
import subprocess
import sys


def compile_with(command):
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def main():
    expected, *rest = sys.argv[1:]
    pass_at, fail_at = rest.index("--pass"), rest.index("--fail")
    command, passing, failing = rest[:pass_at], rest[pass_at + 1:fail_at], rest[fail_at + 1:]

    code, output = compile_with(command + passing)
    if code != 0:
        print(f"must compile, but does not:\n{output}")
        return 1
    code, output = compile_with(command + failing)
    if code == 0:
        print(f"must not compile, but does: {' '.join(command + failing)}")
        return 1
    errors = "\n".join(line for line in output.splitlines() if "error" in line)
    if not re.search(expected, errors):
        print(f"fails, but no error matches '{expected}':\n{output}")
        return 1
    print(errors)
    return 0


if __name__ == "__main__":
    sys.exit(main())
