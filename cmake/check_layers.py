#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the include rule of include/dwconv: calls travel down through the rooms, includes follow.

usage: check_layers.py INCLUDE_ROOT     (the folder that holds dwconv/)

Prints `file:line: rule: what is wrong` for each violation, and exits with 1 if there is one.
"""
import re
import sys
from pathlib import Path

LEVELS = {"core": 0, "problem": 1, "device": 1, "epilogue": 2, "reduction": 2, "staging": 2, "kernels": 3,
          "plan": 4, "dispatch": 5}
DOOR_LEVEL = 6
PLAIN_ROOMS = {"problem", "plan"}  # testable on a machine without nvcc
ANYONES_HEADER = "version.hpp"  # a door by its place, level 0 by what it is
VAGUE_WORDS = {"util", "utils", "common", "helper", "helpers", "misc", "detail", "details"}
SPDX = "// SPDX-License-Identifier: Apache-2.0"
MOST_LINES = 400
MOST_NAME = 25

INCLUDE = re.compile(r'^\s*#\s*include\b\s*(.*)')
# What only device/ may say. An identifier that starts with two underscores and is called is an
# intrinsic, unless it is one of the keywords that take arguments.
CALLED_KEYWORDS = {"__launch_bounds__", "__align__", "__attribute__", "__extension__",
                   "__has_include", "__has_attribute", "__has_builtin", "__cluster_dims__",
                   "__block_size__", "__maxnreg__", "__VA_OPT__"}
INTRINSIC = re.compile(r'\b(__\w+)\s*(?:<[\w\s:,*]*>\s*)?\(')
ASSEMBLY = re.compile(r'\b(asm|__asm__|__asm)\b|'
                      r'\b(cp\.async|mma\.sync|wgmma|ldmatrix|movmatrix|mbarrier)\b|'
                      r'\b(cuda::ptx|nvcuda::wmma|cooperative_groups)\b')
INTRINSIC_HEADER = re.compile(r'<(mma\.h|cuda_pipeline\w*\.h|cooperative_groups\b.*|'
                              r'cuda/(ptx|pipeline|barrier))>')
RUNTIME_CALL = re.compile(r'\b(cu(?:da)?[A-Z]\w*)(?<!_t)\s*(?:<[^;()]*>\s*)?\(|(<<<)')


def without_comments(text, keep_strings):
    """The text with comments (and string contents) blanked out, line numbers kept."""
    token = re.compile(r'//(?:\\\n|[^\n])*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
                       r"(?<!\w)'(?:\\.|[^'\\\n])'", re.S)

    def blank(match):
        found = match.group(0)
        if keep_strings and not found.startswith("/"):
            return found
        return re.sub(r'[^\n]', ' ', found)

    return token.sub(blank, text)


def room_of(path):
    """(folder, level) of a path relative to dwconv/; level None where there is no such room."""
    parts = path.parts
    if len(parts) == 1:
        return ("version", 0) if parts[0] == ANYONES_HEADER else ("doors", DOOR_LEVEL)
    if parts[0] == "kernels":
        if len(parts) == 2:
            return ("kernels", None)  # between the families: nobody's
        return ("kernels/" + parts[1], LEVELS["kernels"])
    return (parts[0], LEVELS.get(parts[0]))


def check_include(path, room, level, target, root):
    """Yields (rule, message) for one #include of `target`, as written after the directive."""
    if INTRINSIC_HEADER.match(target) and room != "device":
        yield "intrinsic", f"{target} belongs in device/"
    if target.startswith('"'):
        yield "quoted include", f"{target}: include dwconv's headers as <dwconv/...>"
        return
    match = re.match(r'<dwconv/([^>]+)>', target)
    if not match:
        if not target.startswith("<"):
            yield "computed include", f"{target}: a name made by a macro hides what is included"
        return
    included = Path(match.group(1))
    if not (root / "dwconv" / included).is_file():
        yield "missing header", f"there is no dwconv/{included}"
        return
    if path.suffix == ".hpp" and included.suffix == ".cuh":
        yield "device code in .hpp", f"a .hpp needs no nvcc, dwconv/{included} does"
    to_room, to_level = room_of(included)
    if to_level is None or to_room in (room, "version"):
        return
    if room.startswith("kernels/") and to_room.startswith("kernels/"):
        yield "family to family", f"{room} must not know dwconv/{included}"
    elif to_level >= level:
        yield "upward include", (f"{room} (level {level}) must not include "
                                 f"dwconv/{included} (level {to_level})")
    elif room == "plan" and to_room.startswith("kernels/") and not included.name.endswith("policy.hpp"):
        yield "plan and kernels", f"plan reads only the policies of a family, not dwconv/{included}"


def check_name(path, room):
    for word in [w for part in path.parts for w in part.split(".")[0].split("_")]:
        if word in VAGUE_WORDS:
            yield "vague name", f"'{word}' says nothing: name the thing"
    if len(path.name) > MOST_NAME:
        yield "long name", f"{len(path.name)} characters, at most {MOST_NAME}"
    if path.suffix not in (".hpp", ".cuh"):
        yield "unknown file", "headers are .hpp (any compiler) or .cuh (nvcc)"
    elif path.suffix == ".cuh" and room in PLAIN_ROOMS:
        yield "plain room", f"{room} is plain C++"


def check_file(root, path):
    """Yields (line, rule, message) for one file, its path relative to dwconv/."""
    text = (root / "dwconv" / path).read_text(encoding="utf-8")
    lines = text.split("\n")
    room, level = room_of(path)
    for rule, message in check_name(path, room):
        yield 1, rule, message
    if level is None:
        yield 1, "unknown room", f"{path.parent} is no room of dwconv"
        return
    if lines[0] != SPDX:
        yield 1, "licence", f"the first line must be {SPDX}"
    if len(text.splitlines()) > MOST_LINES:
        yield MOST_LINES + 1, "too long", f"{len(text.splitlines())} lines, at most {MOST_LINES}"

    code = without_comments(text, keep_strings=True).split("\n")
    bare = without_comments(text, keep_strings=False).split("\n")
    for number, (line, bare_line) in enumerate(zip(code, bare), start=1):
        if include := INCLUDE.match(line):
            for rule, message in check_include(path, room, level, include.group(1).strip(), root):
                yield number, rule, message
            continue
        if room == "device":
            continue
        found = [m.group(1) for m in INTRINSIC.finditer(bare_line)
                 if m.group(1) not in CALLED_KEYWORDS]
        found += [m.group(0) for m in ASSEMBLY.finditer(line) if m.group(0) not in found]
        for word in found:
            yield number, "intrinsic", f"{word} belongs in device/"
        for match in RUNTIME_CALL.finditer(bare_line):
            yield number, "runtime call", f"{match.group(1) or match.group(2)} belongs in device/"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = Path(sys.argv[1])
    house = root / "dwconv"
    headers = sorted(p.relative_to(house) for p in house.rglob("*") if p.is_file())
    if not headers:  # a wrong path must not look like a clean tree
        print(f"{house}:0: nothing to check: no headers there")
        return 1
    violations = 0
    for path in headers:
        for line, rule, message in check_file(root, path):
            print(f"{house / path}:{line}: {rule}: {message}")
            violations += 1
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
