// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <numeric>

#include <dwconv/core/fast_divisor.hpp>

namespace dwconv {

/// One axis of backward_data: which outputs meet an input element, and with which taps.
///
/// Input i meets output o with tap t where i + pad = o * stride + t * dilation. With one solution
/// the others follow in steps of stride / g taps and dilation / g outputs, g the greatest common
/// divisor of the two: only the first is searched for, and nothing is divided or left out after it.
template <typename Index>
struct direct_gradient_axis {
  Index outputs;  ///< Elements of dy along the axis.
  Index taps;
  Index pad_before;
  Index dilation;
  fast_divisor<Index> stride;
  fast_divisor<Index> tap_step;
  fast_divisor<Index> output_step;

  constexpr direct_gradient_axis(std::int64_t outputs_, std::int64_t taps_, std::int64_t stride_,
                                 std::int64_t dilation_, std::int64_t pad_before_)
    : outputs{static_cast<Index>(outputs_)},
      taps{static_cast<Index>(taps_)},
      pad_before{static_cast<Index>(pad_before_)},
      dilation{static_cast<Index>(dilation_)},
      stride{static_cast<Index>(stride_)},
      tap_step{static_cast<Index>(stride_ / std::gcd(stride_, dilation_))},
      output_step{static_cast<Index>(dilation_ / std::gcd(stride_, dilation_))}
  {}

  /// The outputs that meet an input, first to last, and the taps with which they do, last to first.
  struct meeting {
    Index output;  ///< First.
    Index tap;     ///< Its tap; the next output's is `tap_step` before it.
    Index count;   ///< None if not positive.
  };

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr meeting meeting_of(Index input) const noexcept
  {
    Index const place = static_cast<Index>(input + pad_before);
    Index const tap   = lowest_tap(place);
    Index const reach = tap < taps ? static_cast<Index>(place - tap * dilation) : Index{-1};
    if (reach < 0) { return {0, 0, 0}; }
    Index const highest = stride.quotient(reach);  // the output that the lowest tap meets
    // Solutions are counted from that one down to the first output.
    Index last        = tap_step.quotient(static_cast<Index>(taps - 1 - tap));
    Index const above = output_step.quotient(highest);
    if (above < last) { last = above; }
    Index const beyond = static_cast<Index>(highest - (outputs - 1));
    Index const first  = beyond > 0 ? output_step.quotient_up(beyond) : Index{0};
    if (last < first) { return {0, 0, 0}; }
    return {static_cast<Index>(highest - last * output_step.divisor()),
            static_cast<Index>(tap + last * tap_step.divisor()),
            static_cast<Index>(last - first + 1)};
  }

 private:
  /// The first tap under which a multiple of the stride lies, or one past the last.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index lowest_tap(Index place) const noexcept
  {
    Index const residue =
      static_cast<Index>(dilation - stride.quotient(dilation) * stride.divisor());
    Index left      = static_cast<Index>(place - stride.quotient(place) * stride.divisor());
    Index tap       = 0;
    Index const end = taps < tap_step.divisor() ? taps : tap_step.divisor();
    while (left != 0 && ++tap < end) {
      left = static_cast<Index>(left - residue);
      if (left < 0) { left = static_cast<Index>(left + stride.divisor()); }
    }
    return left == 0 ? tap : taps;
  }
};

}  // namespace dwconv
