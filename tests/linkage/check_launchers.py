#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that shared objects built for different architectures share no function that launches.

usage: check_launchers.py NM OBJDUMP TAG=SHARED_OBJECT...    (two or more)

If they did, the dynamic linker would keep one of the two, and with it the machine code of the
wrong architectures. What launches is read from the machine code: whatever reaches the runtime's
launch, however many calls away. The caller, linkage_call, must be found so, else this read it wrong.
"""
import re
import subprocess
import sys

LAUNCHES = re.compile(r'cuda(LaunchKernel\w*|LaunchCooperative\w*|FuncSetAttribute|GraphAdd\w*)$')
CALLER = "linkage_call"


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def launching_functions(objdump, shared):
    """Mangled names of the functions that reach a launch."""
    callers, current = {}, None
    for line in output_of(objdump, "-d", "--no-show-raw-insn", shared).splitlines():
        if start := re.match(r'[0-9a-f]+ <(.+)>:$', line):
            current = re.sub(r'@.*', '', start.group(1))
        elif target := re.search(r'<([\w.$]+)(@[^+>]*)?>', line):  # a name without an offset
            callers.setdefault(target.group(1), set()).add(current)
    reached = {name for name in callers if LAUNCHES.match(name)}
    todo = list(reached)
    while todo:
        for caller in callers.get(todo.pop(), set()) - reached:
            reached.add(caller)
            todo.append(caller)
    return {name for name in reached if not LAUNCHES.match(name)}


def symbols(nm, *arguments):
    lines = output_of(nm, "--defined-only", *arguments).splitlines()
    return {line.split(maxsplit=2)[2] for line in lines if len(line.split(maxsplit=2)) == 3}


def main():
    nm, objdump, *pairs = sys.argv[1:]
    failures, launchers_of = [], {}
    for tag, shared in (pair.split("=") for pair in pairs):
        exported = symbols(nm, "-D", shared)
        kernels = {name for name in symbols(nm, shared) if re.match(r'_ZN6dwconv.*_kernelI', name)}
        launching = launching_functions(objdump, shared)
        launchers_of[tag] = launchers = launching & exported - {CALLER}
        print(f"{tag}: {len(launchers)} exported functions launch, {len(kernels)} kernels")
        if CALLER not in launching or not kernels:
            failures.append(f"{tag}: no way from {CALLER} to a launch was seen, or no kernel")
        failures += [f"{tag}: exports a kernel: {name}" for name in kernels & exported]
        failures += [f"{tag}: launches under a name without {tag}: {name}"
                     for name in launchers | kernels if f"{len(tag)}{tag}" not in name]
    tags = list(launchers_of)
    for i, tag in enumerate(tags):
        for other in tags[i + 1:]:
            failures += [f"{tag} and {other} both export {name}"
                         for name in launchers_of[tag] & launchers_of[other]]
    print("\n".join(sorted(failures)) or "no launcher is shared, no kernel is exported")
    return 1 if failures or len(tags) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
