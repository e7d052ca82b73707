// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/dtype.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// What a perfect kernel would still have to do.
struct traffic {
  std::int64_t bytes_read;     ///< Every input tensor once.
  std::int64_t bytes_written;  ///< Every output tensor once.
  double
    multiply_adds;  ///< Taps that fall into padding counted; a double, for products past 64 bits.

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t bytes() const noexcept
  {
    return bytes_read + bytes_written;
  }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr double flops() const noexcept
  {
    return 2.0 * multiply_adds;
  }
  friend constexpr bool operator==(traffic const&, traffic const&) = default;
};

/// Compulsory bytes and multiply-adds of one forward call. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr traffic forward_traffic(conv2d_problem const& problem,
                                                                   dtype type) noexcept
{
  std::int64_t const size = size_in_bytes(type);
  std::int64_t const taps = problem.filter.height * problem.filter.width;
  return {
    .bytes_read    = (input_elements(problem) + filter_elements(problem)) * size,
    .bytes_written = output_elements(problem) * size,
    .multiply_adds = static_cast<double>(output_elements(problem)) * static_cast<double>(taps)};
}

}  // namespace dwconv
