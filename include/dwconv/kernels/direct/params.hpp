// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/problem/descriptor.hpp>
#include <dwconv/problem/output_extent.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// One axis of the convolution: which input elements the taps of an output meet.
template <typename Index>
struct direct_axis {
  Index input;  ///< Elements of x along the axis.
  Index taps;
  Index stride;
  Index pad_before;
  fast_divisor<Index> dilation;

  constexpr direct_axis() = default;
  constexpr direct_axis(std::int64_t input_, std::int64_t taps_, std::int64_t stride_,
                        std::int64_t dilation_, std::int64_t pad_before_)
    : input{static_cast<Index>(input_)},
      taps{static_cast<Index>(taps_)},
      stride{static_cast<Index>(stride_)},
      pad_before{static_cast<Index>(pad_before_)},
      dilation{static_cast<Index>(dilation_)}
  {}

  /// The taps of one output that fall on the image: tap t meets input `origin + t * dilation`.
  struct window {
    Index origin;  ///< Input element under tap 0; negative in the padding before the image.
    Index first;   ///< First tap on the image.
    Index end;     ///< One past the last; at most `first` where every tap is padding.

    [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index count() const noexcept { return end - first; }
  };

  /// Input element under tap 0 of an output.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index origin_of(Index output) const noexcept
  {
    return static_cast<Index>(output * stride - pad_before);
  }

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr window window_of(Index output) const noexcept
  {
    window w{origin_of(output), 0, taps};
    Index const last = static_cast<Index>(w.origin + (taps - 1) * dilation.divisor());
    // Away from the borders, where nearly all outputs are, nothing is divided.
    if (w.origin < 0) { w.first = dilation.quotient_up(static_cast<Index>(-w.origin)); }
    if (last >= input) {
      w.end = w.origin < input ? dilation.quotient_up(static_cast<Index>(input - w.origin)) : 0;
    }
    return w;
  }

  /// Input element under the first tap on the image.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index first_input(window const& w) const noexcept
  {
    return static_cast<Index>(w.origin + w.first * dilation.divisor());
  }
};

/// Everything the direct kernel is told, by value.
template <typename T, typename Index>
struct direct_params {
  T const* x;
  T const* filter;
  T* y;
  Index outputs;
  fast_divisor<Index> output_width;
  fast_divisor<Index> output_height;
  fast_divisor<Index> output_channels;
  fast_divisor<Index> multiplier;
  Index channels;
  direct_axis<Index> rows;
  direct_axis<Index> columns;

  direct_params(conv2d_problem const& p, forward_tensors<T> const& tensors)
    : x{tensors.x},
      filter{tensors.filter},
      y{tensors.y},
      outputs{static_cast<Index>(output_elements(p))},
      output_width{static_cast<Index>(output_extent(p).width)},
      output_height{static_cast<Index>(output_extent(p).height)},
      output_channels{static_cast<Index>(p.output_channels())},
      multiplier{static_cast<Index>(p.multiplier)},
      channels{static_cast<Index>(p.channels)},
      rows{p.input.height, p.filter.height, p.stride.height, p.dilation.height, p.pad.top},
      columns{p.input.width, p.filter.width, p.stride.width, p.dilation.width, p.pad.left}
  {}
};

}  // namespace dwconv
