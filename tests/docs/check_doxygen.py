#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs Doxygen over the public headers and fails on what it complains about.

usage: check_doxygen.py DOXYGEN ROOT OUTPUT_DIRECTORY

ROOT holds docs/Doxyfile and include/dwconv. Prints Doxygen's complaints, and exits with 1 if there is one.
A member of a documented class needs no comment where its name says all; anything at namespace scope does.
"""
import re
import subprocess
import sys
from pathlib import Path

# "a.hpp:14: error: Member height (variable) of struct dwconv::extent2 is not documented."
MEMBER_OF_CLASS = re.compile(r"Member .* \((?:variable|function|typedef)\) of (?:struct|class) \S.* is not documented\.$")


def complaints(doxygen, root, output):
    """Lines of Doxygen's stderr that count."""
    Path(output).mkdir(parents=True, exist_ok=True)
    settings = (root / "docs" / "Doxyfile").read_text(encoding="utf-8") + f'\nOUTPUT_DIRECTORY = "{output}"\n'
    done = subprocess.run([doxygen, "-"], input=settings, cwd=root, text=True, stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, check=False)
    if not (Path(output) / "html" / "index.html").is_file():
        return [done.stderr, "doxygen wrote no pages"]
    return [line for line in done.stderr.splitlines() if line and not MEMBER_OF_CLASS.search(line)]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    root = Path(sys.argv[2])
    if not any((root / "include" / "dwconv").rglob("*.hpp")):  # a wrong path must not look like clean headers
        sys.exit(f"{root}: no headers there")
    found = complaints(sys.argv[1], root, Path(sys.argv[3]).absolute())
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
