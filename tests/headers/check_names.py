#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that dwconv's headers take no name from their user but `dwconv` and macros DWCONV_*.

usage: check_names.py sources INCLUDE_ROOT                    in every header, every branch of #if
       check_names.py macros  INCLUDE_ROOT PREPROCESSOR...    a command that prints -E -dD output
"""
import re
import subprocess
import sys
from pathlib import Path

DIRECTIVE = re.compile(r'\s*#\s*(define|undef)\s+(\w+)|\s*#\s*pragma\s+(push_macro|pop_macro)')
WHOLE_DIRECTIVE = re.compile(r'^[ \t]*#(?:\\\n|[^\n])*', re.M)
OPEN_NAMESPACE = re.compile(r'(?:inline\s+)?namespace\s+([\w:]+)\s*$')
BLANKED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|' r"(?<!\w)'(?:\\.|[^'\\\n])'", re.S)


def foreign_macros(lines):
    """Yields (line number, name) for macros touched that are not DWCONV_*."""
    for number, line in enumerate(lines, start=1):
        match = DIRECTIVE.match(line)
        if match and not (match.group(2) or "").startswith("DWCONV_"):
            yield number, match.group(2) or match.group(3)


def outside_namespace(text):
    """Yields (line number, code) for what stands at namespace scope but in namespace dwconv."""
    for unwanted in (BLANKED, WHOLE_DIRECTIVE):
        text = unwanted.sub(lambda m: re.sub(r'[^\n]', ' ', m.group(0)), text)
    text = text.replace("DWCONV_ABI_NAMESPACE_BEGIN", "namespace dwconv { inline namespace abi {")
    text = text.replace("DWCONV_ABI_NAMESPACE_END", "} }")
    depth, pending, number, start = 0, "", 1, 1
    for character in text:
        number += character == "\n"
        if character in "{}":
            opened = OPEN_NAMESPACE.match(pending.strip())
            inside = opened and opened.group(1).split("::")[0] == "dwconv"
            if depth == 0 and not (character == "{" and inside):
                yield start, (pending.strip() or character).split("\n")[0]
            depth += 1 if character == "{" else -1
            pending = ""
        elif depth == 0:
            if not pending.strip():
                start = number
            pending += character
            if character == ";":
                yield start, pending.strip().split("\n")[0]
                pending = ""
        else:
            pending = ""
    if depth != 0 or pending.strip():
        yield number, pending.strip() or f"{depth} braces left open"


def check_sources(root):
    headers = sorted(p for p in (root / "dwconv").rglob("*") if p.suffix in (".hpp", ".cuh"))
    if not headers:
        yield f"{root}: no headers"
    for path in headers:
        text = path.read_text(encoding="utf-8")
        for line, name in foreign_macros(text.split("\n")):
            yield f"{path}:{line}: macro {name} is not DWCONV_*"
        for line, code in outside_namespace(text):
            yield f"{path}:{line}: outside namespace dwconv: {code}"


def check_macros(root, command):
    """What the compiler itself saw: line markers say which file each #define came from."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        yield f"{' '.join(command)}: {run.stderr}"
        return
    own_prefix, file, own = str(root / "dwconv") + "/", "", 0
    for line in run.stdout.split("\n"):
        if marker := re.match(r'# \d+ "([^"]*)"', line):
            file = marker.group(1)
        elif file.startswith(own_prefix):
            own += line.startswith("#define DWCONV_")
            for _, name in foreign_macros([line]):
                yield f"{file}: macro {name} is not DWCONV_*"
    if own == 0:
        yield "no macro of dwconv was seen: is this the right file, preprocessed with -dD?"


def main():
    what, root, *command = sys.argv[1:]
    root = Path(root)
    findings = list(check_sources(root) if what == "sources" else check_macros(root, command))
    print("\n".join(findings) or "only dwconv and DWCONV_*")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
