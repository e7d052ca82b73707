// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/problem/descriptor.hpp>

namespace dwconv {

/// Reach of a dilated filter along one axis, in input elements.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t filter_span(std::int64_t taps,
                                                                    std::int64_t dilation) noexcept
{
  return dilation * (taps - 1) + 1;
}

/// Reach of the dilated filter along both axes. The problem must be valid (see `validate`).
[[nodiscard]] DWCONV_HOST_DEVICE constexpr extent2 filter_span(
  conv2d_problem const& problem) noexcept
{
  return {filter_span(problem.filter.height, problem.dilation.height),
          filter_span(problem.filter.width, problem.dilation.width)};
}

/// Rows and columns of x with its padding. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr extent2 padded_input(
  conv2d_problem const& problem) noexcept
{
  return {problem.input.height + problem.pad.top + problem.pad.bottom,
          problem.input.width + problem.pad.left + problem.pad.right};
}

/// Rows and columns of y. The problem must be valid (see `validate`).
[[nodiscard]] DWCONV_HOST_DEVICE constexpr extent2 output_extent(
  conv2d_problem const& problem) noexcept
{
  extent2 const padded = padded_input(problem);
  extent2 const span   = filter_span(problem);
  return {(padded.height - span.height) / problem.stride.height + 1,
          (padded.width - span.width) / problem.stride.width + 1};
}

static_assert(output_extent({.batch    = 1,
                             .channels = 8,
                             .input    = {7, 7},
                             .filter   = {3, 3},
                             .dilation = {2, 2}}) == extent2{3, 3});

}  // namespace dwconv
