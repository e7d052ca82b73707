# SPDX-License-Identifier: Apache-2.0
"""Checks and times each ModelNew of this folder beside the PyTorch module of its problem.

usage: check.py [--compile] [--trials N] [NUMBER ...]

Five seeds, each output within 1e-4 of PyTorch's; then the median of N trials (100) by CUDA events, eager, with
--compile also torch.compile, and ours. Ends with 1 where an output differs.
"""
import argparse
import importlib.util
import pathlib
import statistics
import sys

import torch
from torch import nn

PROBLEMS = {
    "82": lambda: nn.Conv2d(64, 64, 3, groups=64, bias=False),
    "83": lambda: nn.Conv2d(8, 8, (3, 1), groups=8, bias=False),
    "84": lambda: nn.Conv2d(128, 128, 3, groups=128, bias=False),
    "85": lambda: nn.Conv2d(128, 128, (3, 7), groups=128, bias=False),
    "86": lambda: nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
                                nn.Conv2d(64, 128, 1, bias=False)),
}


def load(number):
    path = pathlib.Path(__file__).resolve().parent / f"{number}.py"
    spec = importlib.util.spec_from_file_location(f"problem_{number}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs_of(problem):
    """The problem's inputs, drawn on the GPU: the same numbers in [0, 1), sooner."""
    with torch.device("cuda"):
        return problem.get_inputs()


def differs(problem, reference, seed):
    torch.manual_seed(seed)
    theirs = reference().cuda()
    torch.manual_seed(seed)
    ours = problem.ModelNew(*problem.get_init_inputs()).cuda()
    inputs = inputs_of(problem)
    with torch.no_grad():
        return not torch.allclose(ours(*inputs), theirs(*inputs), rtol=1e-4, atol=1e-4)


def milliseconds(model, inputs, trials):
    with torch.no_grad():
        for _ in range(5):
            model(*inputs)
        torch.cuda.synchronize()
        times = []
        for _ in range(trials):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            model(*inputs)
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", default=list(PROBLEMS), metavar="NUMBER")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args()
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, median of {options.trials}, milliseconds")
    wrong = 0
    for number in options.numbers:
        problem, reference = load(number), PROBLEMS[number]
        bad = [seed for seed in range(5) if differs(problem, reference, seed)]
        wrong += len(bad)
        torch.manual_seed(0)
        inputs = inputs_of(problem)
        theirs, ours = reference().cuda(), problem.ModelNew(*problem.get_init_inputs()).cuda()
        eager = milliseconds(theirs, inputs, options.trials)
        compiled = milliseconds(torch.compile(theirs), inputs, options.trials) if options.compile else None
        mine = milliseconds(ours, inputs, options.trials)
        print(f"{number}: eager {eager:.3f}" + (f", torch.compile {compiled:.3f}" if compiled else "") +
              f", dwconv {mine:.3f}, {eager / mine:.2f} times faster than eager" +
              (f", WRONG for seeds {bad}" if bad else ", right for 5 seeds"), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
