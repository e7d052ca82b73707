#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one fault at a time in a clean header and expects check_doxygen.py to find it.

usage: planted_complaints.py CHECK_DOXYGEN DOXYGEN DOXYFILE
"""
import subprocess
import sys
import tempfile
from pathlib import Path

CLEAN = """/// @namespace dwconv
/// Words.
namespace dwconv {
/// Words.
struct extent {
  int height;
};
/// Words.
/// @param a One.
int area(extent a);
"""

# what is added to the clean header, and what Doxygen must say of it
PLANTED = [
    ("int f(int a);", "Member f(int a) (function) of namespace dwconv is not documented"),
    ("struct s { int a; };", "Compound dwconv::s is not documented"),
    ("enum class e { a };", "Member e (enumeration) of namespace dwconv is not documented"),
    ("using t = int;", "Member t (typedef) of namespace dwconv is not documented"),
    ("inline constexpr int v = 1;", "Member v (variable) of namespace dwconv is not documented"),
    ("/// Words.\n/// @param b Misspelt.\nint f(int a);", "argument 'b' of command @param is not found"),
    ("/// Words.\n/// @param a One.\nint f(int a, int b);", "parameter 'b'"),
    ("/// Words @nonsense.\nint f(int a);", "unknown command"),
]


def check(check_doxygen, doxygen, doxyfile, header):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "docs").mkdir()
        (root / "docs" / "Doxyfile").write_text(doxyfile, encoding="utf-8")
        (root / "include" / "dwconv").mkdir(parents=True)
        (root / "include" / "dwconv" / "a.hpp").write_text(header + "}\n", encoding="utf-8")
        return subprocess.run([sys.executable, check_doxygen, doxygen, root, root / "out"], capture_output=True,
                              text=True, check=False)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    doxyfile = Path(sys.argv[3]).read_text(encoding="utf-8")
    failures = 0
    done = check(sys.argv[1], sys.argv[2], doxyfile, CLEAN)
    if done.returncode != 0:
        print(f"the clean header is refused:\n{done.stdout}{done.stderr}")
        failures += 1
    for planted, expected in PLANTED:
        done = check(sys.argv[1], sys.argv[2], doxyfile, CLEAN + planted + "\n")
        if done.returncode != 1 or expected not in done.stdout:
            print(f"not found: {expected}\nwhere was planted: {planted}\nsaid: {done.stdout}{done.stderr}")
            failures += 1
    print(f"{len(PLANTED)} faults planted, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
