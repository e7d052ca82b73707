#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants names that check_names.py must report, and code that it must let pass.

usage: planted_names.py CHECK_NAMES CXX_COMPILER
"""
import subprocess
import sys
import tempfile
from pathlib import Path

CLEAN = """#pragma once
#include <cstdint>
#define DWCONV_A(x) \\
  { x
/// int free_in_a_comment;
namespace dwconv::inner { struct s { int x = '}'; char const* t = "}"; }; }
DWCONV_ABI_NAMESPACE_BEGIN
template <typename T> T f(T x) { return x; }
DWCONV_ABI_NAMESPACE_END
"""

# appended code, what the report must contain
PLANTED = [
    ("#define TILE 4\n", "header.hpp:10: macro TILE"),
    ("#if 0\n# define tile 4\n#endif\n", "header.hpp:11: macro tile"),
    ("#undef assert\n", "macro assert"),
    ('#pragma push_macro("min")\n', "macro push_macro"),
    ("int x;\n", "header.hpp:10: outside namespace dwconv: int x;"),
    ("using namespace dwconv;\n", "outside namespace dwconv: using"),
    ("template <typename T>\nvoid f(T) {}\n", "header.hpp:10: outside namespace dwconv: template"),
    ("namespace other { int y; }\n", "outside namespace dwconv: namespace other"),
    ("namespace dwconv_detail { }\n", "outside namespace dwconv: namespace dwconv_detail"),
    ("namespace { int y; }\n", "outside namespace dwconv: namespace"),
    ("namespace dwconv {\n", "1 braces left open"),
    ("}\n", "outside namespace dwconv: }"),
]


def main():
    check, compiler = sys.argv[1:]
    failures = []
    with tempfile.TemporaryDirectory() as root:
        header = Path(root, "dwconv", "header.hpp")
        header.parent.mkdir()

        def report(text, *arguments):
            header.write_text(text)
            run = subprocess.run([sys.executable, check, *arguments],
                                 capture_output=True, text=True)
            return run.returncode, run.stdout + run.stderr

        def expect(code, needle, got):
            if got[0] != code or needle not in got[1]:
                failures.append(f"expected {code} and '{needle}', got {got}")

        expect(0, "only dwconv", report(CLEAN, "sources", root))
        for code, needle in PLANTED:
            expect(1, needle, report(CLEAN + code, "sources", root))

        preprocess = ["macros", root, compiler, "-std=c++20", "-x", "c++", "-E", "-dD", str(header)]
        expect(0, "only dwconv", report(CLEAN, *preprocess))
        expect(1, "macro TILE", report(CLEAN + "#define TILE 4\n", *preprocess))
        expect(1, "no macro of dwconv", report("#pragma once\n", *preprocess))
        expect(1, "error", report("#error stop\n", *preprocess))
    print("\n".join(failures) or f"{len(PLANTED) + 3} planted names, each found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
