// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/problem/descriptor.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// Device pointers of one forward call; dense tensors in the problem's layout.
template <typename T>
struct forward_tensors {
  T const* x      = nullptr;  ///< [N,C,H,W], or [N,H,W,C] for layout::nhwc.
  T const* filter = nullptr;  ///< [C*M,KH,KW] in both layouts (PyTorch's [C*M,1,KH,KW]).
  T* y            = nullptr;  ///< [N,C*M,OH,OW], or [N,OH,OW,C*M]; overlaps nothing else.
};

/// Elements of x. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t input_elements(conv2d_problem const& problem) noexcept
{
  return problem.batch * problem.channels * problem.input.height * problem.input.width;
}

/// Elements of the filter tensor. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t filter_elements(conv2d_problem const& problem) noexcept
{
  return problem.output_channels() * problem.filter.height * problem.filter.width;
}

/// Elements of y. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t output_elements(conv2d_problem const& problem) noexcept
{
  extent2 const out = output_extent(problem);
  return problem.batch * problem.output_channels() * out.height * out.width;
}

}  // namespace dwconv
