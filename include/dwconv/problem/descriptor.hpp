// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/extent.hpp>
#include <dwconv/problem/layout.hpp>

namespace dwconv {

/// One depthwise 2-D convolution, counted in elements. Says what is asked, never how it is
/// computed.
///
/// A cross-correlation with one filter per output channel, as
/// `torch.nn.functional.conv2d(x, filter, None, stride, padding, dilation, groups=channels)`:
///
///     y[n][k][i][j] = sum over r, s of x[n][k / multiplier][row][column] * filter[k][r][s]
///     row           = i * stride.height + r * dilation.height - pad.top
///     column        = j * stride.width + s * dilation.width - pad.left
///
/// over the taps that fall on the image; the others add nothing, as if x were zero there. There are
/// `channels * multiplier` output channels.
struct conv2d_problem {
  std::int64_t batch;     ///< Images; 0 is a success that launches nothing.
  std::int64_t channels;  ///< Input channels.
  std::int64_t multiplier =
    1;  ///< Output channels per input channel; output channel k reads input channel k / multiplier.
  extent2 input;                      ///< Rows and columns of x, without padding.
  extent2 filter;                     ///< Taps along each axis.
  extent2 stride     = {1, 1};        ///< Input elements from one output to the next.
  extent2 dilation   = {1, 1};        ///< Input elements from one tap to the next.
  padding2 pad       = {};            ///< Rows and columns of zeros around x.
  layout data_layout = layout::nchw;  ///< Of x and y.

  /// Channels of y, and filters.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t output_channels() const noexcept
  {
    return channels * multiplier;
  }

  friend constexpr bool operator==(conv2d_problem const&, conv2d_problem const&) = default;
};

}  // namespace dwconv
