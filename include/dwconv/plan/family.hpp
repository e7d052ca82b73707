// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// One way of doing the multiply-adds, in the order the planner asks them.
enum class kernel_family : std::uint8_t {
  direct,  ///< One thread an output; takes every problem.
};

/// Every family, the preferred first.
inline constexpr std::array kernel_families{kernel_family::direct};

/// The family's own name, as written above.
[[nodiscard]] constexpr char const* name_of(kernel_family family) noexcept
{
  switch (family) {
    case kernel_family::direct: return "direct";
  }
  return "unknown family";
}

}  // namespace dwconv
