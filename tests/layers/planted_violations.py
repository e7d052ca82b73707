#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation at a time in a small clean tree and expects check_layers.py to find it.

usage: planted_violations.py CHECK_LAYERS
"""
import subprocess
import sys
import tempfile
from pathlib import Path

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


def header(*lines):
    return SPDX + "#pragma once\n" + "".join(line + "\n" for line in lines)


def include(path):
    return f"#include <dwconv/{path}>"


CLEAN = {
    "version.hpp": header("#define DWCONV_VERSION_MAJOR 0"),
    "forward.cuh": header(include("dispatch/forward.cuh"), include("version.hpp")),
    "dwconv.cuh": header(include("forward.cuh")),
    "core/status.hpp": header("#include <string>", include("version.hpp"),
                              '// asm volatile, __ldg(p) and cudaMalloc(p) may be talked about',
                              'inline char const* s = "cudaMalloc(p) // __ldg(p)";'),
    "problem/tensors.hpp": header(include("core/status.hpp")),
    "device/load.cuh": header(include("core/status.hpp"), "T x = __ldg(p); cudaGetDevice(&i);",
                              'asm volatile("cp.async.wait_all;");', "#include <cuda/ptx>"),
    "epilogue/bias.cuh": header(include("device/load.cuh"), include("problem/tensors.hpp")),
    "staging/ring.cuh": header(include("device/load.cuh")),
    "kernels/direct/policy.hpp": header(include("core/status.hpp")),
    "kernels/direct/forward.cuh": header(include("kernels/direct/policy.hpp"),
                                         include("epilogue/bias.cuh"),
                                         "__global__ void __launch_bounds__(256) f(int);"),
    "kernels/window/policy.hpp": header(include("core/status.hpp")),
    "plan/planner.hpp": header(include("kernels/direct/policy.hpp"),
                               include("problem/tensors.hpp")),
    "dispatch/forward.cuh": header(include("plan/planner.hpp"),
                                   include("kernels/direct/forward.cuh")),
}

# file, its content, line of the fault, rule that must be named; line 3 is the first after the guard
PLANTED = [
    ("core/a.hpp", header(include("problem/tensors.hpp")), 3, "upward include"),
    ("problem/a.hpp", header(include("plan/planner.hpp")), 3, "upward include"),
    ("device/a.cuh", header(include("problem/tensors.hpp")), 3, "upward include"),
    ("staging/a.cuh", header(include("epilogue/bias.cuh")), 3, "upward include"),
    ("kernels/direct/a.cuh", header(include("plan/planner.hpp")), 3, "upward include"),
    ("plan/a.hpp", header("", "#  include<dwconv/dispatch/b.hpp>"), 4, "upward include"),
    ("dispatch/a.cuh", header(include("forward.cuh")), 3, "upward include"),
    ("kernels/window/a.cuh", header(include("kernels/direct/policy.hpp")), 3, "family to family"),
    ("kernels/direct/a.hpp", header(include("kernels/direct/forward.cuh")), 3,
     "device code in .hpp"),
    ("plan/a.hpp", header(include("kernels/direct/params.hpp")), 3, "plan and kernels"),
    ("core/a.hpp", header('#include "status.hpp"'), 3, "quoted include"),
    ("core/a.hpp", header("#include SOME_HEADER"), 3, "computed include"),
    ("core/a.hpp", header(include("core/absent.hpp")), 3, "missing header"),
    ("epilogue/a.cuh", header("", "  return __ldg(p);"), 4, "intrinsic"),
    ("kernels/direct/a.cuh", header("__syncthreads();"), 3, "intrinsic"),
    ("kernels/direct/a.cuh", header("x = __shfl_xor_sync(m, v, 1);"), 3, "intrinsic"),
    ("kernels/direct/a.cuh", header("x = __half2float(v);"), 3, "intrinsic"),
    ("staging/a.cuh", header('asm volatile("bar.sync 0;");'), 3, "intrinsic"),
    ("staging/a.cuh", header('auto s = "cp.async.bulk";'), 3, "intrinsic"),
    ("kernels/direct/a.cuh", header('auto s = "mma.sync.aligned";'), 3, "intrinsic"),
    ("staging/a.cuh", header("#include <cuda/ptx>"), 3, "intrinsic"),
    ("dispatch/a.cuh", header("cudaMalloc(&p, 4);"), 3, "runtime call"),
    ("forward.cuh", header("/* two", "lines */ auto e = cudaStreamSynchronize (s);"), 4,
     "runtime call"),
    ("dispatch/a.cuh", header("cudaFuncSetAttribute<T>(k, a, 1);"), 3, "runtime call"),
    ("dispatch/a.cuh", header("kernel<<<1, 2>>>(p);"), 3, "runtime call"),
    ("core/utils.hpp", header(), 1, "vague name"),
    ("core/half_helpers.hpp", header(), 1, "vague name"),
    ("device/detail/a.cuh", header(), 1, "vague name"),
    ("core/" + "n" * 22 + ".hpp", header(), 1, "long name"),
    ("core/a.h", header(), 1, "unknown file"),
    ("plan/a.cuh", header(), 1, "plain room"),
    ("attic/a.hpp", header(), 1, "unknown room"),
    ("kernels/a.hpp", header(), 1, "unknown room"),
    ("core/a.hpp", "#pragma once\n", 1, "licence"),
    ("core/a.hpp", "\n" + header(), 1, "licence"),
    ("core/a.hpp", header(*["int x;"] * 399), 401, "too long"),
]
# Just inside the limits.
ALLOWED = [
    ("core/" + "n" * 21 + ".hpp", header()),
    ("core/a.hpp", header(*["int x;"] * 398)),
    ("dispatch/a.cuh", header("cudaStream_t stream;", "auto s = cudaStream_t(0);")),
]


def check(script, files):
    with tempfile.TemporaryDirectory() as root:
        for name, content in files.items():
            path = Path(root, "dwconv", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        run = subprocess.run([sys.executable, script, root], capture_output=True, text=True)
        return run.returncode, [line.replace(f"{root}/dwconv/", "")
                                for line in (run.stdout + run.stderr).splitlines()]


def main():
    script = sys.argv[1]
    # Headers that planted files include, so that each tree has one fault and no second.
    support = {"dispatch/b.hpp": header(), "kernels/direct/params.hpp": header()}
    clean = CLEAN | support
    failures = []
    for name, content in [("version.hpp", CLEAN["version.hpp"])] + ALLOWED:
        code, lines = check(script, clean | {name: content})
        if code != 0 or lines:
            failures.append(f"clean tree with {name}: exit {code}, {lines}")
    for name, content, line, rule in PLANTED:
        code, lines = check(script, clean | {name: content})
        expected = f"{name}:{line}: {rule}: "
        if code != 1 or len(lines) != 1 or not lines[0].startswith(expected):
            failures.append(f"expected '{expected}...', got exit {code}, {lines}")
    code, lines = check(script, {})
    if code != 1 or len(lines) != 1:
        failures.append(f"a tree without headers must be refused, got exit {code}, {lines}")
    print("\n".join(failures) or f"{len(PLANTED)} planted violations, each found alone")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
