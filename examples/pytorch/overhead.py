# SPDX-License-Identifier: Apache-2.0
"""Time that a call keeps the CPU busy, on a tensor too small for the GPU to matter: F.conv2d, dwconv's forms of it.

usage: overhead.py [--calls N]

Median over 30 rounds of N calls (100), microseconds a call; the rounds of all forms are interleaved.
"""
import argparse
import statistics
import time

import torch
import torch.nn.functional as F

import dwconv_torch
from dwconv_torch import ops


def microseconds(calls, count, rounds=30):
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            torch.cuda.synchronize()
            begin = time.perf_counter()
            for _ in range(count):
                call()
            times[name].append((time.perf_counter() - begin) / count * 1e6)
    return {name: statistics.median(values[rounds // 5:]) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    count = parser.parse_args().calls
    for taps in (3, 7):
        for dtype in (torch.float32, torch.bfloat16):
            x = torch.randn(1, 8, 16, 16, device="cuda", dtype=dtype)
            theirs = torch.nn.Conv2d(8, 8, taps, padding=taps // 2, groups=8, device="cuda", dtype=dtype)
            ours = dwconv_torch.DepthwiseConv2d(8, 8, taps, padding=taps // 2, device="cuda", dtype=dtype)
            weight, bias = ours.weight, ours.bias = theirs.weight, theirs.bias
            pad = taps // 2
            four = (pad,) * 4
            calls = {
                "F.conv2d": lambda: F.conv2d(x, weight, bias, 1, pad, 1, 8),
                "depthwise_conv2d": lambda: dwconv_torch.depthwise_conv2d(x, weight, bias, 1, pad),
                "nn.Conv2d": lambda: theirs(x),
                "DepthwiseConv2d": lambda: ours(x),
                "operator": lambda: ops.forward(x, weight, bias, (1, 1), four, (1, 1)),
            }
            with torch.no_grad():
                without = microseconds(calls, count)
            within = microseconds(calls, count)
            dy = torch.randn_like(x)
            step = microseconds({name: (lambda call=call: torch.autograd.grad(call(), (weight, bias), dy))
                                 for name, call in calls.items()}, count)
            print(f"{taps}x{taps} {dtype}: microseconds a call, without gradients / recording for them / with backward")
            for name in calls:
                print(f"  {name:18s} {without[name]:7.2f} {within[name]:7.2f} {step[name]:7.2f}")


if __name__ == "__main__":
    main()
