// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/direct/bias_params.hpp>
#include <dwconv/kernels/direct/split_walk.cuh>
#include <dwconv/reduction/block_sum.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled direct kernel of backward_bias.
template <element T, layout Layout, typename Index>
struct direct_bias_config {
  using element_type           = T;
  using sum                    = sum_of<T>;
  using index_type             = Index;
  using params                 = direct_bias_params<T, sum, Index>;
  static constexpr int lanes   = direct_channel_lanes(Layout);
  static constexpr int run     = direct_bias_run(Layout, sizeof(T));
  static constexpr bool inside = Layout == layout::nhwc;  ///< Where the channels lie.
};

/// Adds a run of neighbouring elements of a plane, one after the other. Runs are counted from the
/// plane's first element, not from an aligned one, so that the sum does not depend on where dy
/// lies; a run that happens to be aligned is read at once.
template <typename Config>
__device__ void direct_bias_add_run(typename Config::sum& sum,
                                    typename Config::element_type const* run, int count)
{
  using T = typename Config::element_type;
  T values[Config::run];
  if (count == Config::run && is_vector_aligned(run)) {
    load_vector_read_only(run, values);
  } else {
#pragma unroll
    for (int i = 0; i < Config::run; ++i) {
      values[i] = i < count ? load_read_only(run + i) : from_sum<T>(0);
    }
  }
#pragma unroll
  for (int i = 0; i < Config::run; ++i) {
    if (i < count) { sum += to_sum(values[i]); }
  }
}

/// Adds unit number `unit` of one channel.
template <typename Config, typename Index = typename Config::index_type>
__device__ void direct_bias_add(typename Config::sum& sum, typename Config::params const& p,
                                Index channel, Index unit)
{
  if constexpr (Config::inside) {
    sum += to_sum(load_read_only(p.dy + (unit * p.output_channels + channel)));
  } else {
    Index const image = p.runs.quotient(unit);
    Index const first = (unit - image * p.runs.divisor()) * Config::run;
    int const count   = static_cast<int>(min(p.plane - first, static_cast<Index>(Config::run)));
    direct_bias_add_run<Config>(
      sum, p.dy + ((image * p.output_channels + channel) * p.plane + first), count);
  }
}

/// A block a group of channels and a split; splits go through memory in its order.
template <typename Config>
__global__ void __launch_bounds__(direct_threads, 4)
  direct_backward_bias_kernel(typename Config::params const p)
{
  using sum   = typename Config::sum;
  using index = typename Config::index_type;

  int const split           = p.groups.quotient(static_cast<int>(blockIdx.x));
  int const group           = static_cast<int>(blockIdx.x) - split * p.groups.divisor();
  index const first_channel = static_cast<index>(group) * Config::lanes;
  direct_split_walk<Config::lanes, index> const walk{p.units, p.per_split, split, p.splits};

  sum sums[1]         = {};
  index const channel = first_channel + walk.lane();
  if (channel < p.output_channels) {
    walk.template add_up<Config::run, Config::inside ? 4 : 2>(
      sums, [&](sum(&some)[1], index at) { direct_bias_add<Config>(some[0], p, channel, at); });
  }
  sum* const partial = p.partial + static_cast<std::int64_t>(split) * p.output_channels;
  block_sum<Config::lanes>(sums, dynamic_shared_memory<sum>(), [&](int, int lane, sum total) {
    if (first_channel + lane < p.output_channels) { partial[first_channel + lane] = total; }
  });
}

DWCONV_ABI_NAMESPACE_END
