// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Product of non-negative counts, or -1 once it no longer fits in 63 bits (or a factor already did
/// not).
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t checked_product(std::int64_t a,
                                                                        std::int64_t b) noexcept
{
  if (a < 0 || b < 0) { return -1; }
  return (a != 0 && b > INT64_MAX / a) ? -1 : a * b;
}

/// The same for more than two factors.
template <typename... Factors>
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t checked_product(std::int64_t a,
                                                                        std::int64_t b,
                                                                        Factors... rest) noexcept
{
  return checked_product(checked_product(a, b), rest...);
}

}  // namespace dwconv
