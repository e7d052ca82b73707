// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Order of a tensor's axes in memory, outermost first. Nothing lies between neighbours: tensors
/// are dense.
enum class layout : std::uint8_t {
  nchw,  ///< Channels outside: each channel of an image is a contiguous plane.
  nhwc,  ///< Channels inside: the channels of a pixel lie together ("channels last").
};

/// The layout's own name, as written above.
[[nodiscard]] constexpr char const* name_of(layout order) noexcept
{
  switch (order) {
    case layout::nchw: return "nchw";
    case layout::nhwc: return "nhwc";
  }
  return "unknown layout";
}

}  // namespace dwconv
