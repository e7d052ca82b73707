// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Where in y an output lies.
struct output_coordinate {
  std::int64_t batch;
  std::int64_t channel;  ///< Output channel, 0 to channels * multiplier - 1.
  std::int64_t row;
  std::int64_t column;
  std::int64_t offset;  ///< Elements from the start of y, in y's layout.
};

}  // namespace dwconv
