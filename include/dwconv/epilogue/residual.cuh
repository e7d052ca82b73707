// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/convert.cuh>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/problem/tensors.hpp>

namespace dwconv::epilogue {

/// Adds a tensor of y's shape and layout.
template <element T>
struct residual {
  T const* values;  ///< Device memory, shaped and laid out as y. May be y itself (y += ...), else
                    ///< overlaps it nowhere.

  template <typename Sum>
  [[nodiscard]] __device__ Sum operator()(Sum sum, output_coordinate const& at) const
  {
    // An ordinary load: where values is y, the read-only path could serve bytes from before an
    // earlier store.
    return sum + static_cast<Sum>(to_sum(values[at.offset]));
  }

  [[nodiscard]] status check(conv2d_problem const& problem, byte_range const& output) const
  {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    byte_range const read{"epilogue residual.values", reinterpret_cast<std::uintptr_t>(values),
                          output_elements(problem) * size, size};
    bool const in_place = read.begin == output.begin && read.bytes == output.bytes;
    return in_place ? check_pointer(read) : check_read(read, output);
  }
};

}  // namespace dwconv::epilogue
