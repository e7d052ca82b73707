#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says which cells of NEW.json are faster or slower than in OLD.json.

same    the medians differ by no more than the threshold
faster  by more than the threshold, and the spreads of the runs (quartiles) do not touch
slower  likewise
noise   by more than the threshold, but the spreads overlap: measure again
"""
import argparse
import os
import sys

import bench_json

# Numbers compare only where these agree.
CONTEXT = ("gpu", "cuda_driver", "cuda_runtime", "cuda_toolkit", "sm_clock_mhz", "cold_runs")
# Relative difference of medians that counts.
THRESHOLD = 0.03


def verdict(old, new, threshold):
    if max(old.ms, new.ms) <= min(old.ms, new.ms) * (1 + threshold):
        return "same"
    if old.low <= new.high and new.low <= old.high:
        return "noise"
    return "faster" if new.ms < old.ms else "slower"


def compare(old, new, threshold):
    """Yields (key, verdict, old cell or None, new cell or None), OLD's order first."""
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if before is None or after is None:
            yield key, "only new" if before is None else "only old", before, after
        elif before.error or after.error:
            yield key, "failed" if after.error else "mended", before, after
        else:
            yield key, verdict(before, after, threshold), before, after


def line(key, word, before, after):
    def ms(cell):
        return f"{cell.ms:9.4f}" if cell and not cell.error else f"{'-':>9s}"

    speedup = f"{before.ms / after.ms:6.3f}x" if word in ("same", "faster", "slower", "noise") else f"{'':7s}"
    return f"{'/'.join(key):50s} {ms(before)} {ms(after)}  {speedup}  {word}"


def print_means(rows):
    groups = {}
    for key, word, before, after in rows:
        if word in ("same", "faster", "slower", "noise"):
            groups.setdefault(key[:3], []).append((word, before.ms / after.ms))
    print("\ngeometric means of old time / new time")
    for group, results in groups.items():
        counts = ", ".join(f"{sum(word == one for one, _ in results)} {word}" for word in ("faster", "slower", "same", "noise"))
        mean = bench_json.geometric_mean(speedup for _, speedup in results)
        print(f"{'/'.join(group):50s} {len(results):3d} cells  {mean:6.3f}x  {counts}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD.json")
    parser.add_argument("new", metavar="NEW.json")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="relative difference that counts (default 0.03)")
    parser.add_argument("--all", action="store_true", help="print the cells that stayed the same too")
    parser.add_argument("--fail-if-slower", action="store_true", help="exit 2 if a cell is slower or failed")
    options = parser.parse_args(arguments)

    try:
        old_context, old = bench_json.read(options.old)
        new_context, new = bench_json.read(options.new)
    except bench_json.BadFile as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    for name in CONTEXT:
        if old_context.get(name) != new_context.get(name):
            print(f"note: {name} was {old_context.get(name)}, is {new_context.get(name)}")

    rows = list(compare(old, new, options.threshold))
    print(f"{'cell':50s} {'old ms':>9s} {'new ms':>9s}  {'speedup':>7s}")
    for row in rows:
        if options.all or row[1] != "same":
            print(line(*row))
    print_means(rows)
    worse = any(word in ("slower", "failed") for _, word, _, _ in rows)
    return 2 if options.fail_if_slower and worse else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os._exit(0)
