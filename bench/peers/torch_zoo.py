#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times dwconv's PyTorch operators beside PyTorch's own convolution, on the shapes of a CSV, in one process.

usage: torch_zoo.py --out FOLDER [--shapes FILE.csv] [--only ID ...] [--dtypes NAMES] [--directions NAMES] [--runs N] [--compile]

PyTorch four ways: as it chooses by itself (default), without cuDNN (native), on channels_last tensors, and with
--compile the forward direction by torch.compile. Every run with a cold L2 cache, the median of N (11); beside them a
copy of the bytes that the convolution must move. Outputs are compared first: one that differs ends the program.

Writes FOLDER/torch.csv with all times, which bench/plot.py takes as --peers, FOLDER/dwconv.json for bench/compare.py and
bench/plot.py, and FOLDER/<direction>_<dtype>.svg. Needs the package of examples/pytorch.
"""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys

import torch
import torch.nn.functional as F

from dwconv_torch import ops

BENCH = pathlib.Path(__file__).resolve().parent.parent
DIRECTIONS = ("forward", "backward_data", "backward_filter")
TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 5e-2, torch.float64: 1e-6}


class ColdTimer:
    """Each run follows a write over all of L2, which takes the GPU longer than the CPU takes to enqueue the run."""

    def __init__(self, runs):
        self.runs = runs
        bytes_of_l2 = torch.cuda.get_device_properties(0).L2_cache_size
        self.flush = torch.empty(max(2 * bytes_of_l2, 128 << 20), dtype=torch.uint8, device="cuda")

    def milliseconds(self, call):
        """(median, lower and upper quartile)"""
        events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(self.runs)]
        for _ in range(2):
            call()
        for begin, end in events:
            self.flush.fill_(90)
            begin.record()
            call()
            end.record()
        torch.cuda.synchronize()
        times = [begin.elapsed_time(end) for begin, end in events]
        low, middle, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
        return middle, low, high


class Case:
    """Tensors of a row of the CSV, and the convolution on them in each direction."""

    def __init__(self, row, dtype):
        self.n, self.c, self.h, self.w, kh, kw, sh, sw, *pads, dh, dw, multiplier = (
            int(row[name]) for name in ("n", "c", "h", "w", "kh", "kw", "sh", "sw", "pad_top", "pad_bottom", "pad_left",
                                        "pad_right", "dh", "dw", "multiplier"))
        self.stride, self.padding, self.dilation = (sh, sw), tuple(pads), (dh, dw)
        self.x = torch.randn(self.n, self.c, self.h, self.w, device="cuda", dtype=dtype)
        self.weight = torch.randn(self.c * multiplier, 1, kh, kw, device="cuda", dtype=dtype) / (kh * kw) ** 0.5
        self.y = ops.forward(self.x, self.weight, None, self.stride, self.padding, self.dilation)
        self.dy = torch.randn_like(self.y)

    def bytes(self):
        return sum(t.numel() * t.element_size() for t in (self.x, self.y, self.weight))

    def ours(self, direction):
        numbers = (self.stride, self.padding, self.dilation)
        return {
            "forward": lambda: ops.forward(self.x, self.weight, None, *numbers),
            "backward_data": lambda: ops.backward_data(self.dy, self.x, self.weight, *numbers),
            "backward_filter": lambda: ops.backward_filter(self.dy, self.x, self.weight, *numbers),
        }[direction]

    def theirs(self, direction, memory_format=torch.contiguous_format):
        """PyTorch's call. Where paddings of an axis differ, x is padded before and that time is not PyTorch's."""
        top, bottom, left, right = self.padding
        x, pad = self.x, (top, left)
        if top != bottom or left != right:
            x, pad = F.pad(x, (left, right, top, bottom)), (0, 0)
        x, dy, weight = (t.contiguous(memory_format=memory_format) for t in (x, self.dy, self.weight))
        if direction == "forward":
            return lambda: F.conv2d(x, weight, None, self.stride, pad, self.dilation, groups=self.c)
        mask = (direction == "backward_data", direction == "backward_filter", False)
        return lambda: torch.ops.aten.convolution_backward(dy, x, weight, None, self.stride, pad, self.dilation, False,
                                                           (0, 0), self.c, mask)[mask.index(True)]

    def same(self, direction):
        mine, expected = self.ours(direction)(), self.theirs(direction)()
        if direction == "backward_data":
            top, _, left, _ = self.padding if mine.shape != expected.shape else (0, 0, 0, 0)
            expected = expected[:, :, top:top + self.h, left:left + self.w]
        wide = torch.float64 if mine.dtype == torch.float64 else torch.float32
        mine, expected = mine.to(wide), expected.to(wide)
        return ((mine - expected).norm() / expected.norm()).item() < TOLERANCE[self.x.dtype]


def peers_of(case, direction, compiled):
    """Name and call of each of PyTorch's ways."""
    yield "default", case.theirs(direction)
    with torch.backends.cudnn.flags(enabled=False):
        yield "native", case.theirs(direction)
    yield "channels_last", case.theirs(direction, torch.channels_last)
    if compiled and direction == "forward":
        torch._dynamo.reset()
        yield "compile", torch.compile(case.theirs(direction))


def measure(row, dtype_name, directions, timer, compiled):
    case = Case(row, getattr(torch, dtype_name))
    source = torch.empty(case.bytes() // 2, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copy, _, _ = timer.milliseconds(lambda: target.copy_(source))
    for direction in directions:
        if not case.same(direction):
            sys.exit(f"{direction}/{dtype_name}/nchw/{row['id']}: dwconv's result differs from PyTorch's")
        times = {name: timer.milliseconds(call)[0] for name, call in peers_of(case, direction, compiled)}
        yield direction, copy, timer.milliseconds(case.ours(direction)), times


def json_row(direction, dtype, name, copy, ours):
    middle, low, high = ours
    title = f"{direction}/{dtype}/nchw/{name}"
    return {"name": title, "run_name": title, "run_type": "iteration", "iterations": 1, "real_time": middle,
            "time_unit": "ms", "q1_ms": low, "q3_ms": high, "copy_ms": copy, "copy_ratio": copy / middle}


def draw(folder, directions, dtypes):
    for direction in directions:
        for dtype in dtypes:
            subprocess.run([sys.executable, BENCH / "plot.py", folder / "dwconv.json", "-o", folder / f"{direction}_{dtype}.svg",
                            "--group", f"{direction}/{dtype}/nchw", "--peers", folder / "torch.csv"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--shapes", default=BENCH / "shapes" / "zoo.csv")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--dtypes", default="float32,float16,bfloat16")
    parser.add_argument("--directions", default=",".join(DIRECTIONS))
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    directions, dtypes = options.directions.split(","), options.dtypes.split(",")
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.shapes, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not options.only or row["id"] in options.only]

    timer, table, benchmarks = ColdTimer(options.runs), [], []
    names = ["default", "native", "channels_last"] + (["compile"] if options.compile else [])
    for dtype in dtypes:
        for row in rows:
            for direction, copy, ours, peers in measure(row, dtype, directions, timer, options.compile):
                best = min(peers.values())
                table.append([direction, dtype, "nchw", row["id"], *(f"{peers[n]:.5f}" if n in peers else "" for n in names)])
                benchmarks.append(json_row(direction, dtype, row["id"], copy, ours))
                print(f"{direction:15s} {dtype:8s} {row['id']:20s} dwconv {ours[0]:9.4f}  copy {copy:8.4f}  " +
                      "  ".join(f"{name} {value:9.4f}" for name, value in peers.items()) +
                      f"  {best / ours[0]:6.2f} times the best", flush=True)
            torch.cuda.empty_cache()
    with open(options.out / "torch.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["direction", "dtype", "layout", "id", *(f"torch_{name}_ms" for name in names)], *table])
    context = {"executable": "torch_zoo.py", "gpu": torch.cuda.get_device_name(), "cuda_toolkit": torch.version.cuda,
               "torch": torch.__version__, "cold_runs": str(options.runs), "outputs_checked": "yes"}
    (options.out / "dwconv.json").write_text(json.dumps({"context": context, "benchmarks": benchmarks}, indent=1) + "\n")
    draw(options.out, directions, dtypes)


if __name__ == "__main__":
    main()
