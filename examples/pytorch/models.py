# SPDX-License-Identifier: Apache-2.0
"""Images a second of whole models before and after dwconv_torch.convert, and the difference of their outputs.

usage: models.py [--batch N] [--seconds S] [--only NAME ...] [--csv FILE]

timm's models, with random parameters, on random 224x224 images; float32 (TF32 as PyTorch sets it) and bfloat16 by
autocast; inference, and training as forward, loss, backward.
"""
import argparse
import contextlib
import csv
import sys

import torch
import torch.nn.functional as F
from torch import nn

import dwconv_torch


class LargeKernelBlock(nn.Module):
    def __init__(self, channels, taps):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, taps, padding=taps // 2, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x + self.pointwise(F.gelu(self.norm(self.depthwise(x))))


def large_kernel_stack():
    """Stages as in RepLKNet-31B, two blocks each: 31x31 to 13x13 (Ding et al., 2022)."""
    layers, before = [nn.Conv2d(3, 128, 4, stride=4)], 128
    for channels, taps in ((128, 31), (256, 29), (512, 27), (1024, 13)):
        if channels != before:
            layers.append(nn.Conv2d(before, channels, 2, stride=2))
        layers += [LargeKernelBlock(channels, taps), LargeKernelBlock(channels, taps)]
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


def make(name):
    torch.manual_seed(0)
    with torch.device("cuda"):
        if name == "large_kernel_stack":
            return large_kernel_stack()
        import timm
        return timm.create_model(name, pretrained=False)


NAMES = ["convnext_tiny", "mobilenetv3_large_100", "efficientnet_b0", "large_kernel_stack"]


def precision(dtype):
    return torch.autocast("cuda", torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()


def infer(model, x, dtype):
    with torch.no_grad(), precision(dtype):
        return model(x)


def train(model, x, target, dtype):
    model.zero_grad(set_to_none=True)
    with precision(dtype):
        loss = F.cross_entropy(model(x), target)
    loss.backward()
    return loss


def seconds(call, least):
    """Time of one call, over as many as fill `least` seconds."""
    count, elapsed = 1, 0.0
    while elapsed < least:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(count):
            call()
        end.record()
        end.synchronize()
        elapsed, last, count = begin.elapsed_time(end) / 1e3, count, 2 * count
    return elapsed / last


def images_per_second(calls, batch, least, rounds=2):
    """The best of some rounds for each call, taking turns: other load on the machine only ever slows them."""
    best = [min(times) for times in zip(*([seconds(call, least) for call in calls] for _ in range(rounds)))]
    return [batch / time for time in best]


def measure(name, dtype, batch, least):
    """(layers swapped, inference before and after, training before and after, difference of the outputs)"""
    plain, swapped = make(name), make(name)
    done = dwconv_torch.convert(swapped)
    models = (plain, swapped)
    x, target = torch.randn(batch, 3, 224, 224, device="cuda"), torch.randint(1000, (batch,), device="cuda")
    before, after = (infer(model.eval(), x, dtype).float() for model in models)
    difference = ((after - before).norm() / before.norm()).item()
    inference = images_per_second([lambda m=m: infer(m, x, dtype) for m in models], batch, least)
    for model in models:
        train(model.train(), x, target, dtype)
    training = images_per_second([lambda m=m: train(m, x, target, dtype) for m in models], batch, least)
    return [len(done.swapped), *inference, *training, difference]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256, help="large, or the CPU is what is measured")
    parser.add_argument("--seconds", type=float, default=0.2, help="at least this long for each number, twice")
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--csv")
    options = parser.parse_args()
    columns = ["model", "dtype", "swapped", "inference_before", "inference_after", "training_before", "training_after",
               "difference"]
    file = open(options.csv, "w", newline="", buffering=1) if options.csv else contextlib.nullcontext()
    with file:
        measure_all(options, csv.writer(file).writerow if options.csv else lambda row: None, columns)


def measure_all(options, write, columns):
    write(columns)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, batch {options.batch}, images a second")
    for name in options.only:
        for dtype in ("float32", "bfloat16"):
            row = measure(name, dtype, options.batch, options.seconds)
            write([name, dtype, *row])
            count, before, after, slow, quick, difference = row
            print(f"{name} {dtype}: {count} layers swapped; inference {before:.0f} -> {after:.0f} "
                  f"({after / before:.2f}x), training {slow:.0f} -> {quick:.0f} ({quick / slow:.2f}x), "
                  f"outputs differ by {difference:.1e} of their norm", flush=True)
            torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
