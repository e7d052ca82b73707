// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

[[nodiscard]] __device__ inline int floor_log2(unsigned value)
{
  return std::bit_width(value) - 1;
}

DWCONV_ABI_NAMESPACE_END
