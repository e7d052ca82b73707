// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// The largest n with 2^n <= value; -1 for 0.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr int floor_log2(std::uint32_t value) noexcept
{
#ifdef __CUDA_ARCH__
  return 31 - __clz(static_cast<int>(value));
#else
  return std::bit_width(value) - 1;
#endif
}

}  // namespace dwconv
