// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// Why backward_data of a problem is no forward convolution, or null. The problem must be valid.
[[nodiscard]] constexpr char const* obstacle_to_turning(conv2d_problem const& p) noexcept
{
  if (p.multiplier != 1) { return "an element of dx sums over several filters"; }
  if (p.stride != extent2{1, 1}) { return "the stride sets the elements of dy apart"; }
  extent2 const span = filter_span(p);
  bool const beyond  = p.pad.top >= span.height || p.pad.bottom >= span.height ||
                      p.pad.left >= span.width || p.pad.right >= span.width;
  return beyond ? "some of dy saw nothing but padding" : nullptr;
}

/// The forward convolution of dy with the filter turned by 180 degrees whose result is dx: with one
/// filter a channel and stride 1,
///
///     dx[i] = sum over r of dy[i + pad - r * dilation] * filter[r]
///           = sum over r of dy[i - (span - 1 - pad) + r * dilation] * filter[taps - 1 - r]
///
/// along each axis. The problem must be valid and `obstacle_to_turning` null.
[[nodiscard]] constexpr conv2d_problem turned_problem(conv2d_problem const& p) noexcept
{
  extent2 const span    = filter_span(p);
  conv2d_problem turned = p;
  turned.input          = output_extent(p);
  turned.pad            = {.top    = span.height - 1 - p.pad.top,
                           .bottom = span.height - 1 - p.pad.bottom,
                           .left   = span.width - 1 - p.pad.left,
                           .right  = span.width - 1 - p.pad.right};
  return turned;
}

static_assert(output_extent(turned_problem({.batch    = 1,
                                            .channels = 1,
                                            .input    = {9, 7},
                                            .filter   = {3, 5},
                                            .dilation = {2, 1},
                                            .pad      = {1, 4, 0, 3}})) == extent2{9, 7});

}  // namespace dwconv
