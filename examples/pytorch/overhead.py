# SPDX-License-Identifier: Apache-2.0
"""Time that a call keeps the CPU busy, on a tensor too small for the GPU to matter: F.conv2d, dwconv's forms of it.

usage: overhead.py [--calls N] [--rounds N]

Each round makes a block of N calls (50) of each form, in turns that begin elsewhere every round. Printed are the medians
over the rounds (200), microseconds a call, and, behind a sign, the median of how much longer than PyTorch's form a block
took than that of the same round: the machine's mood, which comes and goes, is in both.
"""
import argparse
import gc
import statistics
import time

import torch
import torch.nn.functional as F

import dwconv_torch
from dwconv_torch import ops

# What each form stands in for.
PEERS = {"depthwise_conv2d": "F.conv2d", "DepthwiseConv2d": "nn.Conv2d", "operator": "F.conv2d"}


def rounds_of(calls, count, rounds):
    """Microseconds a call, for each form and round."""
    times = {name: [] for name in calls}
    names = list(calls)
    gc.disable()
    for number in range(-rounds // 5, rounds):  # the first ones to warm up
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            call = calls[name]
            torch.cuda.synchronize()
            begin = time.perf_counter()
            for _ in range(count):
                call()
            if number >= 0:
                times[name].append((time.perf_counter() - begin) / count * 1e6)
    gc.enable()
    return times


def columns_of(times):
    """The median of each form, and that of its distance from its peer."""
    text = {}
    for name, values in times.items():
        text[name] = f"{statistics.median(values):8.2f}"
        peer = times[PEERS[name]] if name in PEERS else None
        text[name] += f" {statistics.median(a - b for a, b in zip(values, peer)):+7.2f}" if peer else " " * 8
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    for taps, dtype in ((3, torch.float32), (7, torch.bfloat16)):
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
            without = rounds_of(calls, options.calls, options.rounds)
        within = rounds_of(calls, options.calls, options.rounds)
        dy = torch.randn_like(x)
        steps = {name: (lambda call=call: torch.autograd.grad(call(), (weight, bias), dy)) for name, call in calls.items()}
        step = rounds_of(steps, options.calls // 5, options.rounds)
        print(f"{taps}x{taps} {dtype}: microseconds a call, without gradients / recording for them / with backward")
        columns = [columns_of(times) for times in (without, within, step)]
        for name in calls:
            print(f"  {name:18s}" + " ".join(column[name] for column in columns))


if __name__ == "__main__":
    main()
