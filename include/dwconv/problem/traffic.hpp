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

/// Multiply-adds of a forward call; the gradients of x and of the filter take as many.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr double convolution_multiply_adds(
  conv2d_problem const& problem) noexcept
{
  std::int64_t const taps = problem.filter.height * problem.filter.width;
  return static_cast<double>(output_elements(problem)) * static_cast<double>(taps);
}

/// Compulsory bytes and multiply-adds of one forward call. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr traffic forward_traffic(conv2d_problem const& problem,
                                                                   dtype type) noexcept
{
  std::int64_t const size = size_in_bytes(type);
  return {.bytes_read    = (input_elements(problem) + filter_elements(problem)) * size,
          .bytes_written = output_elements(problem) * size,
          .multiply_adds = convolution_multiply_adds(problem)};
}

/// The same of one backward_data call: dy and the filter are read, dx is written.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr traffic backward_data_traffic(
  conv2d_problem const& problem, dtype type) noexcept
{
  std::int64_t const size = size_in_bytes(type);
  return {.bytes_read    = (output_elements(problem) + filter_elements(problem)) * size,
          .bytes_written = input_elements(problem) * size,
          .multiply_adds = convolution_multiply_adds(problem)};
}

/// The same of one backward_filter call: x and dy are read, dfilter, of type `gradient`, is
/// written.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr traffic backward_filter_traffic(
  conv2d_problem const& problem, dtype type, dtype gradient) noexcept
{
  std::int64_t const size = size_in_bytes(type);
  return {.bytes_read    = (input_elements(problem) + output_elements(problem)) * size,
          .bytes_written = filter_elements(problem) * size_in_bytes(gradient),
          .multiply_adds = convolution_multiply_adds(problem)};
}

/// The same of one backward_bias call: dy is read, dbias, of type `gradient`, is written. An
/// addition counts as one multiply-add.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr traffic backward_bias_traffic(
  conv2d_problem const& problem, dtype type, dtype gradient) noexcept
{
  return {.bytes_read    = output_elements(problem) * size_in_bytes(type),
          .bytes_written = problem.output_channels() * size_in_bytes(gradient),
          .multiply_adds = static_cast<double>(output_elements(problem))};
}

/// The same of one call for dx and dfilter, in one pass at best: x, dy and the filter are read, dx
/// and dfilter, of type `gradient`, are written.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr traffic backward_traffic(conv2d_problem const& problem,
                                                                    dtype type,
                                                                    dtype gradient) noexcept
{
  traffic const data   = backward_data_traffic(problem, type);
  traffic const filter = backward_filter_traffic(problem, type, gradient);
  return {.bytes_read    = filter.bytes_read + filter_elements(problem) * size_in_bytes(type),
          .bytes_written = data.bytes_written + filter.bytes_written,
          .multiply_adds = data.multiply_adds + filter.multiply_adds};
}

}  // namespace dwconv
