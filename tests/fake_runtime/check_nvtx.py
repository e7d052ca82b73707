#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that an object mentions NVTX only where it was asked to.

usage: check_nvtx.py NM PLAIN_OBJECT NVTX_OBJECT
"""
import subprocess
import sys


def mentions(nm, obj):
    symbols = subprocess.run([nm, obj], capture_output=True, text=True, check=True).stdout
    return symbols.lower().count("nvtx")


plain, asked_for = (mentions(sys.argv[1], obj) for obj in sys.argv[2:])
print(f"{plain} NVTX symbols without DWCONV_ENABLE_NVTX, {asked_for} with")
sys.exit(0 if plain == 0 and asked_for > 0 else 1)
