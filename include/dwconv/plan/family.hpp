// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// One way of doing the multiply-adds.
enum class kernel_family : std::uint8_t {
  direct,    ///< One thread an output; takes every problem.
  window,    ///< A tile staged in shared memory, a window of sums sliding down it in registers.
  toeplitz,  ///< Tensor cores, each filter row a banded matrix; half types.
};

/// Every family, in the order the planner asks them.
inline constexpr std::array kernel_families{kernel_family::window, kernel_family::toeplitz,
                                            kernel_family::direct};

/// The name of a family in plans and messages.
[[nodiscard]] constexpr char const* name_of(kernel_family family) noexcept
{
  switch (family) {
    case kernel_family::direct: return "direct";
    case kernel_family::window: return "window";
    case kernel_family::toeplitz: return "toeplitz";
  }
  return "unknown family";
}

}  // namespace dwconv
