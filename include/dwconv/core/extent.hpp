// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Size along the two image axes, in elements (or steps, for stride and dilation).
struct extent2 {
  std::int64_t height;
  std::int64_t width;
  friend constexpr bool operator==(extent2 const&, extent2 const&) = default;
};

/// Rows and columns of zeros around the input, in elements.
struct padding2 {
  std::int64_t top                                                   = 0;
  std::int64_t bottom                                                = 0;
  std::int64_t left                                                  = 0;
  std::int64_t right                                                 = 0;
  friend constexpr bool operator==(padding2 const&, padding2 const&) = default;
};

}  // namespace dwconv
