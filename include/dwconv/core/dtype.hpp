// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Element type of x, filter and y.
enum class dtype : std::uint8_t { float16, bfloat16, float32, float64 };

/// Bytes of one element.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t size_in_bytes(dtype type) noexcept
{
  switch (type) {
    case dtype::float16:
    case dtype::bfloat16: return 2;
    case dtype::float32: return 4;
    case dtype::float64: return 8;
  }
  return 0;
}

/// The element type's own name, as written above.
[[nodiscard]] constexpr char const* name_of(dtype type) noexcept
{
  switch (type) {
    case dtype::float16: return "float16";
    case dtype::bfloat16: return "bfloat16";
    case dtype::float32: return "float32";
    case dtype::float64: return "float64";
  }
  return "unknown dtype";
}

}  // namespace dwconv
