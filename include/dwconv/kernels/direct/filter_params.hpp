// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/direct/policy.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// One axis of backward_filter: tap t of output o lies over input o * stride + t * dilation - pad.
template <typename Index>
struct direct_filter_axis {
  Index input;
  Index stride;
  Index dilation;
  Index pad_before;
};

/// Everything the direct kernel of backward_filter is told, by value.
template <typename T, typename Sum, typename Index>
struct direct_filter_params {
  T const* x;
  T const* dy;
  Sum* partial;  ///< Of each split, a gradient of the filter.
  fast_divisor<Index> output_width;
  fast_divisor<Index> output_height;
  fast_divisor<Index> multiplier;
  Index channels;
  Index output_channels;
  fast_divisor<std::int32_t> chunks;  ///< Of `direct_filter_taps` taps, of a filter.
  fast_divisor<std::int32_t> groups;  ///< Of channels, as many as a block has.
  fast_divisor<Index> taps_across;
  Index taps;
  int splits;
  Index positions;  ///< Of outputs, over the batch.
  Index per_split;
  direct_filter_axis<Index> rows;
  direct_filter_axis<Index> columns;

  Index pixel;  ///< Elements from one column of x to the next.

  direct_filter_params(conv2d_problem const& p, T const* x_, T const* dy_, Sum* partial_,
                       direct_sum_policy const& policy)
    : x{x_},
      dy{dy_},
      partial{partial_},
      output_width{static_cast<Index>(output_extent(p).width)},
      output_height{static_cast<Index>(output_extent(p).height)},
      multiplier{static_cast<Index>(p.multiplier)},
      channels{static_cast<Index>(p.channels)},
      output_channels{static_cast<Index>(p.output_channels())},
      chunks{static_cast<std::int32_t>(direct_filter_chunks(p))},
      groups{static_cast<std::int32_t>(direct_channel_groups(p))},
      taps_across{static_cast<Index>(p.filter.width)},
      taps{static_cast<Index>(p.filter.height * p.filter.width)},
      splits{policy.split.splits},
      positions{static_cast<Index>(policy.split.units)},
      per_split{static_cast<Index>(policy.split.per_split)},
      rows{static_cast<Index>(p.input.height), static_cast<Index>(p.stride.height),
           static_cast<Index>(p.dilation.height), static_cast<Index>(p.pad.top)},
      columns{static_cast<Index>(p.input.width), static_cast<Index>(p.stride.width),
              static_cast<Index>(p.dilation.width), static_cast<Index>(p.pad.left)},
      pixel{static_cast<Index>(p.data_layout == layout::nchw ? 1 : p.channels)}
  {}

  /// Where an element lies in its plane, counted modulo what the index holds: coordinates may be
  /// differences, or off the image.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr std::make_unsigned_t<Index> x_offset(
    Index row, Index column) const noexcept
  {
    using word = std::make_unsigned_t<Index>;
    return (static_cast<word>(row) * static_cast<word>(columns.input) + static_cast<word>(column)) *
           static_cast<word>(pixel);
  }
};

}  // namespace dwconv
