#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints a result as a Markdown table: a row a shape, and for each dtype and layout the time in ms and copy_ratio.

usage: table.py BENCH.json [--direction forward]
"""
import argparse
import sys

import bench_json


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", metavar="BENCH.json")
    parser.add_argument("--direction", default="forward")
    options = parser.parse_args()

    try:
        _, every = bench_json.read(options.bench)
    except bench_json.BadFile as error:
        sys.exit(str(error))
    cells = {key: cell for key, cell in every.items() if key[0] == options.direction}
    if not cells:
        sys.exit(f"{options.bench}: no cell of direction {options.direction}")
    columns = list(dict.fromkeys(key[1:3] for key in cells))
    shapes = list(dict.fromkeys(key[3] for key in cells))
    print("| shape | " + " | ".join(" ".join(column) for column in columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for shape in shapes:
        texts = []
        for column in columns:
            cell = cells.get((options.direction, *column, shape))
            ratio = float(cell.counters.get("copy_ratio", "nan")) if cell else 0.0
            texts.append(f"{cell.ms:.3g} ({ratio:.2f})" if cell and not cell.error else "")
        print(f"| {shape} | " + " | ".join(texts) + " |")


if __name__ == "__main__":
    main()
