// SPDX-License-Identifier: Apache-2.0
#pragma once

// CUDA's half headers convert on the CPU as well, so the product's own header runs here unchanged.
#pragma GCC system_header  // strict C++ has no include_next
#include_next <dwconv/device/convert.cuh>
