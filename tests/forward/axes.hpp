// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "forward/inputs.hpp"

/// One axis of a small problem.
struct axis {
  std::int64_t input, taps, stride, dilation, before, after;
  [[nodiscard]] bool fits() const { return before + input + after > (taps - 1) * dilation; }
};

/// Every small axis: extent 1-9, filter 1-5, stride 1-3, dilation 1-2, padding below the filter on
/// either side.
template <typename Visit>
void for_each_axis(Visit const& visit)
{
  for (std::int64_t input = 1; input <= 9; ++input) {
    for (std::int64_t taps = 1; taps <= 5; ++taps) {
      for (std::int64_t stride = 1; stride <= 3; ++stride) {
        for (std::int64_t dilation = 1; dilation <= 2; ++dilation) {
          for (std::int64_t before = 0; before < taps; ++before) {
            for (std::int64_t after = 0; after < taps; ++after) {
              axis const a{input, taps, stride, dilation, before, after};
              if (a.fits()) { visit(a); }
            }
          }
        }
      }
    }
  }
}

/// One of them.
[[nodiscard]] inline axis any_axis(dice& random)
{
  for (;;) {
    std::int64_t const taps = random.between(1, 5);
    axis const a{random.between(1, 9),        taps,
                 random.between(1, 3),        random.between(1, 2),
                 random.between(0, taps - 1), random.between(0, taps - 1)};
    if (a.fits()) { return a; }
  }
}

/// A problem of two axes; the multiplier is drawn from `least` to 3, and is at least 1.
[[nodiscard]] inline dwconv::conv2d_problem problem_of(axis const& rows, axis const& columns,
                                                       dwconv::layout order, dice& random,
                                                       std::int64_t least = 1)
{
  return {.batch       = random.between(1, 2),
          .channels    = random.between(1, 5),
          .multiplier  = std::max<std::int64_t>(random.between(least, 3), 1),
          .input       = {rows.input, columns.input},
          .filter      = {rows.taps, columns.taps},
          .stride      = {rows.stride, columns.stride},
          .dilation    = {rows.dilation, columns.dilation},
          .pad         = {rows.before, rows.after, columns.before, columns.after},
          .data_layout = order};
}
