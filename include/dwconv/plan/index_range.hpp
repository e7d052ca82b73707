// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// Whether every index and coordinate a kernel forms for a valid problem fits a signed 32-bit
/// integer.
///
/// Covers the elements of each tensor with `slack` threads past the end of y, every input
/// coordinate (a window lies within the padded input), and the steps between them.
[[nodiscard]] constexpr bool fits_32_bits(conv2d_problem const& problem,
                                          std::int64_t slack) noexcept
{
  extent2 const padded        = padded_input(problem);
  std::int64_t const widest[] = {input_elements(problem),
                                 filter_elements(problem),
                                 output_elements(problem) + slack,
                                 problem.stride.height,
                                 problem.stride.width,
                                 problem.dilation.height,
                                 problem.dilation.width,
                                 padded.height + problem.dilation.height,
                                 padded.width + problem.dilation.width};
  return *std::max_element(std::begin(widest), std::end(widest)) <= INT32_MAX;
}

}  // namespace dwconv
