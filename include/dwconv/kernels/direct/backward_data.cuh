// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/direct/data_params.hpp>
#include <dwconv/kernels/direct/policy.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled direct kernel of backward_data.
template <element T, layout Layout, typename Index>
struct direct_data_config {
  using element_type                  = T;
  using index_type                    = Index;
  using params                        = direct_data_params<T, Index>;
  static constexpr layout data_layout = Layout;
};

/// Where an element lies in dx.
template <typename Index>
struct direct_data_position {
  Index batch;
  Index channel;
  Index row;
  Index column;
};

/// Takes a linear index into dx apart, in the order of its layout.
template <typename Config, typename Index = typename Config::index_type>
[[nodiscard]] __device__ direct_data_position<Index> direct_data_position_of(
  typename Config::params const& p, Index linear)
{
  direct_data_position<Index> at;
  if constexpr (Config::data_layout == layout::nchw) {
    Index const line  = p.input_width.quotient(linear);
    Index const plane = p.input_height.quotient(line);
    at.batch          = p.channels.quotient(plane);
    at.column         = linear - line * p.input_width.divisor();
    at.row            = line - plane * p.input_height.divisor();
    at.channel        = plane - at.batch * p.channels.divisor();
  } else {
    Index const pixel = p.channels.quotient(linear);
    Index const line  = p.input_width.quotient(pixel);
    at.batch          = p.input_height.quotient(line);
    at.channel        = linear - pixel * p.channels.divisor();
    at.column         = pixel - line * p.input_width.divisor();
    at.row            = line - at.batch * p.input_height.divisor();
  }
  return at;
}

/// The gradient of one element of x: over the filters of its channel, over the outputs that it met,
/// first to last.
template <typename Config, typename Index = typename Config::index_type>
[[nodiscard]] __device__ sum_of<typename Config::element_type> direct_data_sum(
  typename Config::params const& p, direct_data_position<Index> const& at)
{
  using T                        = typename Config::element_type;
  constexpr bool channels_inside = Config::data_layout == layout::nhwc;

  sum_of<T> total{};
  auto const down   = p.rows.meeting_of(at.row);
  auto const across = p.columns.meeting_of(at.column);
  if (down.count <= 0 || across.count <= 0) { return total; }

  Index const plane   = p.rows.outputs * p.columns.outputs;
  Index const pixel   = channels_inside ? p.output_channels : 1;
  Index const line    = p.columns.outputs * pixel;
  Index const channel = at.channel * p.multiplier;
  T const* dy =
    p.dy + (at.batch * p.output_channels * plane + channel * (channels_inside ? 1 : plane) +
            down.output * line + across.output * pixel);
  T const* filter = p.filter + ((channel * p.rows.taps + down.tap) * p.taps_across + across.tap);
  // Where there is one output, nothing bounds the step to a next one.
  Index const row_step     = down.count > 1 ? p.rows.output_step.divisor() * line : 0;
  Index const step         = across.count > 1 ? p.columns.output_step.divisor() * pixel : 0;
  Index const tap_row_step = down.count > 1 ? p.rows.tap_step.divisor() * p.taps_across : 0;
  Index const tap_step     = across.count > 1 ? p.columns.tap_step.divisor() : 0;
  for (Index m = 0; m < p.multiplier; ++m) {
    T const* dy_row     = dy;
    T const* filter_row = filter;
    for (Index r = down.count; r > 0; --r) {
      T const* dy_at = dy_row;
      T const* tap   = filter_row;
#pragma unroll 4
      for (Index s = 0; s < across.count; ++s) {
        total = multiply_add(to_sum(load_read_only(dy_at)), to_sum(load_read_only(tap)), total);
        dy_at += step;
        tap -= tap_step;
      }
      dy_row += row_step;
      filter_row -= tap_row_step;
    }
    dy += channels_inside ? 1 : plane;
    filter += p.rows.taps * p.taps_across;
  }
  return total;
}

/// One element of dx a thread, in the order of dx in memory: any problem, nothing staged.
template <typename Config>
__global__ void __launch_bounds__(direct_threads, 4)
  direct_backward_data_kernel(typename Config::params const p)
{
  using T     = typename Config::element_type;
  using index = typename Config::index_type;

  index const linear =
    static_cast<index>(blockIdx.x) * direct_threads + static_cast<index>(threadIdx.x);
  if (linear >= p.inputs) { return; }
  p.dx[linear] =
    from_sum<T>(direct_data_sum<Config>(p, direct_data_position_of<Config>(p, linear)));
}

DWCONV_ABI_NAMESPACE_END
