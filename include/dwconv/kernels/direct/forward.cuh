// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/kernels/direct/params.hpp>
#include <dwconv/kernels/direct/policy.hpp>
#include <dwconv/problem/static_shape.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled direct kernel. Taps and Stride of zero are read from the parameters instead.
template <element T, layout Layout, typename Index, static_taps Taps, static_stride Stride>
struct direct_config {
  using element_type                  = T;
  using index_type                    = Index;
  using params                        = direct_params<T, Index>;
  static constexpr layout data_layout = Layout;
  static constexpr extent2 taps       = Taps::extent;
  static constexpr extent2 stride     = Stride::extent;
};

/// A run-time value, unless the compiled one is known.
template <std::int64_t Compiled, typename Index>
[[nodiscard]] __device__ constexpr Index known_or(Index run_time)
{
  return Compiled > 0 ? static_cast<Index>(Compiled) : run_time;
}

/// Where a linear index into y lies.
template <typename Config>
[[nodiscard]] __device__ auto direct_position(typename Config::params const& p,
                                              typename Config::index_type linear)
{
  using index = typename Config::index_type;
  struct position {
    index batch, channel, row, column;
  } at;
  if constexpr (Config::data_layout == layout::nchw) {
    index const line  = p.output_width.quotient(linear);
    index const plane = p.output_height.quotient(line);
    at.batch          = p.output_channels.quotient(plane);
    at.column         = linear - line * p.output_width.divisor();
    at.row            = line - plane * p.output_height.divisor();
    at.channel        = plane - at.batch * p.output_channels.divisor();
  } else {
    index const pixel = p.output_channels.quotient(linear);
    index const line  = p.output_width.quotient(pixel);
    at.batch          = p.output_height.quotient(line);
    at.channel        = linear - pixel * p.output_channels.divisor();
    at.column         = pixel - line * p.output_width.divisor();
    at.row            = line - at.batch * p.output_height.divisor();
  }
  return at;
}

/// One output a thread, in the order of y in memory: any problem, nothing staged.
///
/// Padding is decided once per axis, as a range of taps; no tap is tested where the filter size is
/// a run-time value.
template <typename Config, typename Epilogue>
DWCONV_KERNEL void __launch_bounds__(direct_threads)
  direct_forward_kernel(typename Config::params const p, Epilogue const epilogue)
{
  using T     = typename Config::element_type;
  using index = typename Config::index_type;

  index const linear =
    static_cast<index>(blockIdx.x) * direct_threads + static_cast<index>(threadIdx.x);
  if (linear >= p.outputs) { return; }
  auto const at = direct_position<Config>(p, linear);

  auto rows           = p.rows;
  auto columns        = p.columns;
  rows.taps           = known_or<Config::taps.height>(rows.taps);
  columns.taps        = known_or<Config::taps.width>(columns.taps);
  rows.stride         = known_or<Config::stride.height>(rows.stride);
  columns.stride      = known_or<Config::stride.width>(columns.stride);
  auto const vertical = rows.window_of(at.row);
  auto const across   = columns.window_of(at.column);

  constexpr bool channels_inside = Config::data_layout == layout::nhwc;
  index const channel            = p.multiplier.quotient(at.channel);
  index const pixel_stride       = channels_inside ? p.channels : 1;
  index const row_stride         = columns.input * pixel_stride;
  index const image              = at.batch * p.channels * rows.input * columns.input;
  T const* const x =
    p.x + image + (channels_inside ? channel : channel * rows.input * columns.input);
  T const* const w = p.filter + at.channel * rows.taps * columns.taps;

  sum_of<T> sum{};
  auto const accumulate_row = [&](index r) {
    T const* const x_row  = x + (vertical.origin + r * rows.dilation.divisor()) * row_stride;
    T const* const w_row  = w + r * columns.taps;
    auto const accumulate = [&](index s) {
      index const column = across.origin + s * columns.dilation.divisor();
      sum +=
        to_sum(load_read_only(x_row + column * pixel_stride)) * to_sum(load_read_only(w_row + s));
    };
    if constexpr (Config::taps.width > 0) {
#pragma unroll
      for (index s = 0; s < static_cast<index>(Config::taps.width); ++s) {
        if (s >= across.first && s < across.end) { accumulate(s); }
      }
    } else {
      for (index s = across.first; s < across.end; ++s) { accumulate(s); }
    }
  };
  if constexpr (Config::taps.height > 0) {
#pragma unroll
    for (index r = 0; r < static_cast<index>(Config::taps.height); ++r) {
      if (r >= vertical.first && r < vertical.end) { accumulate_row(r); }
    }
  } else {
    for (index r = vertical.first; r < vertical.end; ++r) { accumulate_row(r); }
  }

  output_coordinate const coordinate{at.batch, at.channel, at.row, at.column, linear};
  p.y[linear] = from_sum<T>(static_cast<sum_of<T>>(epilogue(sum, coordinate)));
}

DWCONV_ABI_NAMESPACE_END
