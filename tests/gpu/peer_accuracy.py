#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares dwconv's error with PyTorch's on the same data, both against PyTorch in float64.

usage: peer_accuracy.py LIBRARY

Fails where dwconv's error is more than twice PyTorch's, by its largest value or by its norm. Prints a table. Exits with
77 where PyTorch or a GPU is missing.
"""
import ctypes
import sys

try:
    import torch
except ImportError:
    print("no PyTorch: skipped")
    sys.exit(77)

# batch, channels, multiplier, height, width, filter height and width, stride, padding, dilation
SHAPES = [
    (4, 32, 1, 56, 56, 3, 3, 1, 1, 1),
    (4, 24, 1, 57, 53, 5, 5, 2, 2, 1),
    (2, 16, 1, 56, 56, 7, 7, 1, 3, 1),
    (2, 16, 1, 56, 56, 31, 31, 1, 15, 1),
    (2, 16, 2, 37, 41, 3, 3, 1, 0, 1),
    (2, 16, 1, 65, 65, 3, 3, 1, 12, 12),
    (8, 64, 1, 7, 7, 5, 3, 1, 2, 1),
]
TYPES = [("float16", torch.float16), ("bfloat16", torch.bfloat16), ("float32", torch.float32)]


def convolve(shape, x, filter):
    stride, padding, dilation = shape[7:]
    return torch.nn.functional.conv2d(x, filter, None, stride, padding, dilation, groups=shape[1])


def ours(library, shape, type_index, x, filter, like, channels_last):
    # The filter is [C*M, KH, KW] in both layouts.
    y = torch.full_like(like, float("nan"))
    numbers = (ctypes.c_int64 * 11)(*shape, int(channels_last))
    failed = library.dwconv_forward(numbers, type_index, ctypes.c_void_p(x.data_ptr()),
                                    ctypes.c_void_p(filter.contiguous().data_ptr()), ctypes.c_void_p(y.data_ptr()))
    torch.cuda.synchronize()
    if failed:
        sys.exit("dwconv refused " + str(shape))
    return y


def errors(result, truth):
    difference = (result.double() - truth).abs()
    return difference.max().item(), difference.norm().item()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[2])
    if not torch.cuda.is_available():
        print("no CUDA device: skipped")
        sys.exit(77)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    library = ctypes.CDLL(sys.argv[1])
    generator = torch.Generator(device="cuda").manual_seed(1)
    worse = 0
    print(f"{'shape':44s} {'type':9s} {'layout':6s} {'ours max':>10s} {'torch max':>10s} {'ours norm':>10s} {'torch norm':>10s}")
    for shape in SHAPES:
        n, c, m, h, w, kh, kw = shape[:7]
        for name, dtype in TYPES:
            for layout, memory_format in (("nchw", torch.contiguous_format), ("nhwc", torch.channels_last)):
                x = torch.randn(n, c, h, w, device="cuda", generator=generator).to(dtype, memory_format=memory_format)
                filter = torch.randn(c * m, 1, kh, kw, device="cuda", generator=generator).to(dtype)
                truth = convolve(shape, x.double(), filter.double())
                theirs = convolve(shape, x, filter)
                like = torch.empty(theirs.shape, dtype=dtype, device="cuda", memory_format=memory_format)
                mine = ours(library, shape, ("float16", "bfloat16", "float32").index(name), x, filter, like, layout == "nhwc")
                (our_max, our_norm), (their_max, their_norm) = errors(mine, truth), errors(theirs, truth)
                bad = not (our_max <= 2 * their_max and our_norm <= 2 * their_norm)
                worse += bad
                print(f"{'x'.join(map(str, shape)):44s} {name:9s} {layout:6s} {our_max:10.3g} {their_max:10.3g} "
                      f"{our_norm:10.3g} {their_norm:10.3g}{'  WORSE' if bad else ''}")
    print(f"cells with more than twice PyTorch's error: {worse}")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
