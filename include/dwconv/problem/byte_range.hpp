// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/status.hpp>

namespace dwconv {

/// A tensor's bytes in memory, with the name messages call it by.
struct byte_range {
  char const* name;
  std::uintptr_t begin;
  std::int64_t bytes;
  std::int64_t element_bytes;
};

/// Bytes that two tensors have in common.
[[nodiscard]] inline std::int64_t shared_bytes(byte_range const& a, byte_range const& b) noexcept
{
  std::uintptr_t const begin = std::max(a.begin, b.begin);
  std::uintptr_t const end   = std::min(a.begin + static_cast<std::uintptr_t>(a.bytes),
                                        b.begin + static_cast<std::uintptr_t>(b.bytes));
  return end > begin ? static_cast<std::int64_t>(end - begin) : 0;
}

/// A tensor that a kernel may touch: not null, and aligned to its elements.
[[nodiscard]] inline status check_pointer(byte_range const& tensor) noexcept
{
  if (tensor.begin == 0) { return {.code = status_code::null_pointer, .argument = tensor.name}; }
  auto const past =
    static_cast<std::int64_t>(tensor.begin % static_cast<std::uintptr_t>(tensor.element_bytes));
  if (past != 0) {
    return {.code     = status_code::misaligned_pointer,
            .argument = tensor.name,
            .value    = past,
            .limit    = tensor.element_bytes};
  }
  return {};
}

/// A tensor that a kernel reads while it writes `output`.
[[nodiscard]] inline status check_read(byte_range const& tensor, byte_range const& output) noexcept
{
  if (status const s = check_pointer(tensor); !s.ok()) { return s; }
  if (std::int64_t const common = shared_bytes(tensor, output); common > 0) {
    return {.code     = status_code::overlapping_tensors,
            .argument = tensor.name,
            .value    = common,
            .limit    = 0};
  }
  return {};
}

}  // namespace dwconv
