// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Terms that a thread adds one after the other before it puts their sum aside and starts anew: the
/// rounding error of a sum grows with the longest chain of additions in it.
inline constexpr int terms_in_a_row = 256;

/// Warps among which the sums of splits are divided when they are added up.
inline constexpr int split_warps = 8;

/// How the many terms of a gradient are shared: `splits` blocks take a stretch of units each; the
/// threads that work on one element of the gradient take the stretch's units in turn. What each
/// split has summed goes to the workspace, and is added up by a second kernel. All of that in an
/// order that only these numbers decide.
struct split_sum {
  std::int64_t units     = 0;  ///< Runs of terms that are taken at once.
  std::int64_t per_split = 0;  ///< Units of a split; the last may have fewer.
  int splits             = 0;  ///< None where there is nothing to sum.
  int unit_terms         = 1;
  int lanes              = 1;   ///< Threads of a block that share the terms of one element.
  int threads            = 32;  ///< Of a block.
  friend constexpr bool operator==(split_sum const&, split_sum const&) = default;

  /// The most additions that follow each other between a term and the element: with it as the
  /// number of terms, the error bound of a plain sum holds for this one.
  [[nodiscard]] constexpr std::int64_t longest_chain() const noexcept
  {
    auto const parts = [](std::int64_t whole, std::int64_t part) {
      return whole / part + (whole % part != 0 ? 1 : 0);
    };
    std::int64_t const own = parts(per_split, lanes) * unit_terms;
    std::int64_t const rows =
      std::min<std::int64_t>(own, terms_in_a_row) + parts(own, terms_in_a_row);
    constexpr int levels_of_a_warp = 5;
    return rows + levels_of_a_warp + threads / 32 + parts(splits, split_warps) + split_warps;
  }
};

}  // namespace dwconv
