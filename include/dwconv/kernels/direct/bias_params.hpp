// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/direct/policy.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// Everything the direct kernel of backward_bias is told, by value.
template <typename T, typename Sum, typename Index>
struct direct_bias_params {
  T const* dy;
  Sum* partial;  ///< Of each split, a gradient of the bias.
  Index plane;   ///< Elements of a plane of dy.
  Index output_channels;
  fast_divisor<Index> runs;           ///< Of a plane; a run is the whole of one unit.
  fast_divisor<std::int32_t> groups;  ///< Of channels, as many as a block has.
  int splits;
  Index units;
  Index per_split;

  direct_bias_params(conv2d_problem const& p, T const* dy_, Sum* partial_,
                     direct_sum_policy const& policy)
    : dy{dy_},
      partial{partial_},
      plane{static_cast<Index>(output_extent(p).height * output_extent(p).width)},
      output_channels{static_cast<Index>(p.output_channels())},
      runs{static_cast<Index>(policy.split.units / p.batch)},
      groups{static_cast<std::int32_t>(direct_channel_groups(p))},
      splits{policy.split.splits},
      units{static_cast<Index>(policy.split.units)},
      per_split{static_cast<Index>(policy.split.per_split)}
  {}
};

}  // namespace dwconv
