# SPDX-License-Identifier: Apache-2.0
"""Images a second of whole models before and after dwconv_torch.convert, and the difference of their outputs.

usage: models.py [--batch N] [--iterations N] [--only NAME ...] [--csv FILE]

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
    if name == "large_kernel_stack":
        return large_kernel_stack().cuda()
    import timm
    return timm.create_model(name, pretrained=False).cuda()


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


def images_per_second(call, batch, iterations):
    for _ in range(2):
        call()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(iterations):
        call()
    end.record()
    end.synchronize()
    return batch * iterations / begin.elapsed_time(end) * 1e3


def measure(model, x, target, dtype, iterations):
    """(output, inference images/s, training images/s)"""
    model.eval()
    output = infer(model, x, dtype).float()
    inference = images_per_second(lambda: infer(model, x, dtype), len(x), iterations)
    model.train()
    training = images_per_second(lambda: train(model, x, target, dtype), len(x), iterations)
    return output, inference, training


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--csv")
    options = parser.parse_args()
    rows = []
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, batch {options.batch}, images a second")
    for name in options.only:
        for dtype in ("float32", "bfloat16"):
            model = make(name)
            state = {key: value.clone() for key, value in model.state_dict().items()}
            x = torch.randn(options.batch, 3, 224, 224, device="cuda")
            target = torch.randint(1000, (options.batch,), device="cuda")
            before, *plain = measure(model, x, target, dtype, options.iterations)
            model.load_state_dict(state)
            done = dwconv_torch.convert(model)
            after, *ours = measure(model, x, target, dtype, options.iterations)
            difference = ((after - before).norm() / before.norm()).item()
            rows.append([name, dtype, len(done.swapped), *plain, *ours, difference])
            print(f"{name} {dtype}: {len(done.swapped)} layers swapped; inference {plain[0]:.0f} -> {ours[0]:.0f} "
                  f"({ours[0] / plain[0]:.2f}x), training {plain[1]:.0f} -> {ours[1]:.0f} ({ours[1] / plain[1]:.2f}x), "
                  f"outputs differ by {difference:.1e} of their norm", flush=True)
            del model
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["model", "dtype", "swapped", "inference_before", "training_before", "inference_after",
                             "training_after", "difference"])
            writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
