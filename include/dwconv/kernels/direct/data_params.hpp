// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/direct/gradient_axis.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

namespace dwconv {

/// Everything the direct kernel of backward_data is told, by value.
template <typename T, typename Index>
struct direct_data_params {
  T const* dy;
  T const* filter;
  T* dx;
  Index inputs;  ///< Elements of dx.
  fast_divisor<Index> input_width;
  fast_divisor<Index> input_height;
  fast_divisor<Index> channels;
  Index multiplier;
  Index output_channels;
  Index taps_across;
  direct_gradient_axis<Index> rows;
  direct_gradient_axis<Index> columns;

  direct_data_params(conv2d_problem const& p, backward_data_tensors<T> const& tensors)
    : dy{tensors.dy},
      filter{tensors.filter},
      dx{tensors.dx},
      inputs{static_cast<Index>(input_elements(p))},
      input_width{static_cast<Index>(p.input.width)},
      input_height{static_cast<Index>(p.input.height)},
      channels{static_cast<Index>(p.channels)},
      multiplier{static_cast<Index>(p.multiplier)},
      output_channels{static_cast<Index>(p.output_channels())},
      taps_across{static_cast<Index>(p.filter.width)},
      rows{output_extent(p).height, p.filter.height, p.stride.height, p.dilation.height, p.pad.top},
      columns{output_extent(p).width, p.filter.width, p.stride.width, p.dilation.width, p.pad.left}
  {}
};

}  // namespace dwconv
