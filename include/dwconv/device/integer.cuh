// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The largest n with 2^n <= value; -1 for 0.
[[nodiscard]] __device__ inline int floor_log2(unsigned value)
{
  return 31 - __clz(static_cast<int>(value));
}

DWCONV_ABI_NAMESPACE_END
