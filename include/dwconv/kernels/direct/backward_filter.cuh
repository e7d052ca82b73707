// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/direct/filter_params.hpp>
#include <dwconv/kernels/direct/split_walk.cuh>
#include <dwconv/reduction/block_sum.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled direct kernel of backward_filter.
template <element T, layout Layout, typename Index>
struct direct_filter_config {
  using element_type         = T;
  using sum                  = sum_of<T>;
  using index_type           = Index;
  using params               = direct_filter_params<T, sum, Index>;
  static constexpr int lanes = direct_channel_lanes(Layout);
  static constexpr int taps  = direct_filter_taps;
  /// That a multiprocessor's registers shall hold.
  static constexpr int blocks  = sizeof(Index) == 4 && sizeof(sum) == 4 ? 3 : 1;
  static constexpr bool inside = Layout == layout::nhwc;  ///< Where the channels lie.
};

/// The taps that a block takes: neighbours, row by row.
template <typename Config>
struct direct_filter_chunk {
  using index = typename Config::index_type;
  using word  = std::make_unsigned_t<index>;

  index first;  ///< Tap.
  int count;
  index row[Config::taps];     ///< What a tap adds to the row of a window's first element,
  index column[Config::taps];  ///< and to its column. Taps past the last are the first again.
  word offset[Config::taps];   ///< From a window's first element to the taps'; may wrap around.

  __device__ direct_filter_chunk(typename Config::params const& p, int chunk)
    : first{static_cast<index>(chunk) * Config::taps},
      count{static_cast<int>(min(p.taps - first, static_cast<index>(Config::taps)))}
  {
#pragma unroll
    for (int t = 0; t < Config::taps; ++t) {
      index const tap = t < count ? first + t : first;
      index const kh  = p.taps_across.quotient(tap);
      row[t]          = kept(kh * p.rows.dilation);
      column[t]       = kept((tap - kh * p.taps_across.divisor()) * p.columns.dilation);
      offset[t]       = kept(p.x_offset(row[t], column[t]));
    }
  }

 private:
  /// Else the compiler works it out again for every output.
  template <typename Number>
  [[nodiscard]] static __device__ Number kept(Number number)
  {
    if constexpr (sizeof(Number) == 4) { return opaque(number); }
    return number;
  }
};

/// What one thread reads for one output channel, and adds up.
template <typename Config>
class direct_filter_channel {
 public:
  using T      = typename Config::element_type;
  using sum    = typename Config::sum;
  using index  = typename Config::index_type;
  using params = typename Config::params;
  using chunk  = direct_filter_chunk<Config>;

  __device__ direct_filter_channel(params const& p, index channel)
    : p_{p},
      x_plane_{p.rows.input * p.columns.input},
      dy_plane_{p.output_height.divisor() * p.output_width.divisor()},
      x_{p.x + p.multiplier.quotient(channel) * (Config::inside ? 1 : x_plane_)},
      dy_{p.dy + channel * (Config::inside ? 1 : dy_plane_)}
  {}

  /// Adds x * dy of one output to the gradients of the taps that lie on the image there.
  __device__ void add(sum (&sums)[Config::taps], chunk const& taps, index position) const
  {
    index const line  = p_.output_width.quotient(position);
    index const image = p_.output_height.quotient(line);
    index const top =
      (line - image * p_.output_height.divisor()) * p_.rows.stride - p_.rows.pad_before;
    index const left =
      (position - line * p_.output_width.divisor()) * p_.columns.stride - p_.columns.pad_before;
    T const* const x = x_ + image * x_plane_ * p_.channels;
    sum const dy     = to_sum(load_read_only(
          dy_ + (image * dy_plane_ * p_.output_channels +
             (position - image * dy_plane_) * (Config::inside ? p_.output_channels : 1))));
    // Without a branch, so that all loads are on their way at once: a tap in the padding reads the
    // plane's first element instead, and its product is dropped.
    using word        = typename chunk::word;
    word const origin = p_.x_offset(top, left);
    bool on_image[Config::taps];
    T values[Config::taps];
#pragma unroll
    for (int t = 0; t < Config::taps; ++t) {
      on_image[t] = static_cast<word>(top + taps.row[t]) < static_cast<word>(p_.rows.input) &&
                    static_cast<word>(left + taps.column[t]) < static_cast<word>(p_.columns.input);
      values[t] =
        load_read_only(x + static_cast<index>(on_image[t] ? origin + taps.offset[t] : word{0}));
    }
#pragma unroll
    for (int t = 0; t < Config::taps; ++t) {
      sum const next = multiply_add(to_sum(values[t]), dy, sums[t]);
      sums[t]        = on_image[t] ? next : sums[t];
    }
  }

 private:
  params const& p_;
  index x_plane_;
  index dy_plane_;
  T const* x_;   ///< The channel's first element in the first image,
  T const* dy_;  ///< and of the output channel.
};

/// A block a group of channels, a chunk of taps and a split; chunks beside each other in time share
/// what they read in L2, and splits go through memory in its order.
template <typename Config>
__global__ void __launch_bounds__(direct_threads, Config::blocks)
  direct_backward_filter_kernel(typename Config::params const p)
{
  using sum   = typename Config::sum;
  using index = typename Config::index_type;

  int const block = static_cast<int>(blockIdx.x);
  int const rest  = p.chunks.quotient(block);
  int const split = p.groups.quotient(rest);
  int const group = rest - split * p.groups.divisor();
  direct_filter_chunk<Config> const taps{p, block - rest * p.chunks.divisor()};
  index const first_channel = static_cast<index>(group) * Config::lanes;
  direct_split_walk<Config::lanes, index> const walk{p.positions, p.per_split, split, p.splits};

  sum sums[Config::taps] = {};
  index const channel    = first_channel + walk.lane();
  if (channel < p.output_channels) {
    direct_filter_channel<Config> const of{p, channel};
    walk.template add_up<1, 1>(sums,
                               [&](sum(&some)[Config::taps], index at) { of.add(some, taps, at); });
  }
  sum* const partial = p.partial + static_cast<std::int64_t>(split) * p.output_channels * p.taps;
  block_sum<Config::lanes>(sums, dynamic_shared_memory<sum>(), [&](int t, int lane, sum total) {
    if (t < taps.count && first_channel + lane < p.output_channels) {
      partial[(first_channel + lane) * p.taps + (taps.first + t)] = total;
    }
  });
}

DWCONV_ABI_NAMESPACE_END
