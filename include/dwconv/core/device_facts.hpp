// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// What planning needs to know about a GPU. `query_device` reads it; tests and tools may make it
/// up.
struct device_facts {
  int compute_capability     = 0;  ///< Ten times major plus minor: 90 for an H200.
  int multiprocessors        = 0;
  int shared_bytes_per_block = 0;  ///< With opt-in to more than 48 KiB.
  int shared_bytes_per_sm    = 0;
  std::int64_t l2_bytes      = 0;
  /// The code for this GPU in this program multiplies by warpgroups: it is compiled for sm_90a.
  bool warpgroup_products                                                    = false;
  friend constexpr bool operator==(device_facts const&, device_facts const&) = default;
};

/// NVIDIA H200 (SXM), as read on the device by a program compiled for sm_90a.
inline constexpr device_facts h200_facts{.compute_capability     = 90,
                                         .multiprocessors        = 132,
                                         .shared_bytes_per_block = 232448,
                                         .shared_bytes_per_sm    = 233472,
                                         .l2_bytes               = 60 * 1024 * 1024,
                                         .warpgroup_products     = true};

}  // namespace dwconv
