// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/window/filter_engine.cuh>
#include <dwconv/kernels/window/filter_params.hpp>
#include <dwconv/problem/static_shape.hpp>
#include <dwconv/staging/pair_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled window kernel of backward_filter.
template <element T, static_taps Taps, static_stride Stride, mover Mover = mover::newest>
struct window_filter_config {
  using element_type            = T;
  using params                  = window_filter_params<T, sum_of<T>>;
  static constexpr extent2 taps = Taps::extent;
  static constexpr extent2 stride         = Stride::extent;
  static constexpr mover how              = Mover;
  static constexpr int columns_per_thread = window_filter_columns(taps, sizeof(T));
  static constexpr int blocks             = window_filter_blocks(taps, stride, sizeof(T));
  /// Steps after which a row of dy returns to its registers; one if it moves on instead.
  static constexpr int turns = static_cast<int>((taps.height + stride.height - 1) / stride.height);
};

/// The share of the sum that is one block's.
struct window_filter_share {
  int split;
  int channel;  ///< First output channel.
  int channels;
  int image;
  int images;
  int from;  ///< First step of the strip,
  int until;
  int column;  ///< First column of dy.
  int columns;

  template <typename Params>
  [[nodiscard]] static __device__ window_filter_share of(Params const& p, int block)
  {
    // Windows of a strip first, then strips, channels, images: as memory goes.
    int const strips  = p.windows.quotient(block);
    int const window  = block - strips * p.windows.divisor();
    int const groups  = p.strips.quotient(strips);
    int const strip   = strips - groups * p.strips.divisor();
    int const part    = p.groups.quotient(groups);
    window_filter_share s;
    s.split    = (part * p.strips.divisor() + strip) * p.windows.divisor() + window;
    s.channel  = (groups - part * p.groups.divisor()) * p.channels;
    s.channels = min(p.channels, p.output_channels - s.channel);
    s.image    = part * p.part;
    s.images   = min(p.part, p.batch - s.image);
    s.from     = p.first_step + strip * p.strip;
    s.until    = min(s.from + p.strip, p.end_step);
    s.column   = window * p.columns;
    s.columns  = min(p.columns, p.of_dy.width - s.column);
    return s;
  }
};

/// Adds up what the threads of a block have summed: threads of a channel are neighbours, and
/// `sum_lanes` lanes share the taps' sums in an order of their own.
template <typename Engine, typename Params>
__device__ void add_up_threads(Engine const& engine, typename Engine::sum* area, Params const& p,
                               window_filter_share const& share)
{
  using sum         = typename Engine::sum;
  int const thread  = static_cast<int>(threadIdx.x);
  int const threads = static_cast<int>(blockDim.x);
#pragma unroll
  for (int t = 0; t < Engine::taps; ++t) { area[t * threads + thread] = engine.of_tap(t); }
  block_sync();
  int const members = p.across.divisor() * p.down.divisor() * p.beside.divisor();
  int const lanes   = p.sum_lanes;
  int const own     = thread / lanes;
  int const lane    = thread - own * lanes;
  sum* const partial =
    p.partial + (static_cast<std::int64_t>(share.split) * p.output_channels + share.channel) *
                  Engine::taps;
  int const elements = share.channels * Engine::taps;
#pragma unroll 1
  for (int first = 0; first < elements; first += threads / lanes) {
    int const element = first + own;
    int const channel = element / Engine::taps;
    int const tap     = element - channel * Engine::taps;
    sum total         = sum(0);
    if (element < elements) {
      sum const* const from = area + tap * threads + channel * members;
#pragma unroll 4
      for (int m = lane; m < members; m += lanes) { total += from[m]; }
    }
    for (int mask = lanes / 2; mask > 0; mask /= 2) { total += shuffle_xor(total, mask); }
    if (element < elements && lane == 0) { partial[element] = total; }
  }
}

/// A block walks its images, some at a time, through shared memory in chunks of rows: while one
/// chunk is multiplied the next is on its way. A thread stays with its columns and its channel, so
/// that its sums stay in registers all the way.
template <typename Config>
__global__ void __launch_bounds__(window_filter_threads, Config::blocks)
  window_filter_kernel(typename Config::params const p)
{
  using T             = typename Config::element_type;
  using engine        = window_filter_engine<Config>;
  using sum           = typename engine::sum;
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;

  auto const share = window_filter_share::of(p, static_cast<int>(blockIdx.x));
  auto* const barriers = dynamic_shared_memory<transaction_barrier>();
  T* const areas =
    dynamic_shared_memory<T>() + window_filter_layout::barrier_bytes / sizeof(T) + p.slack;
  int const stage_size = p.of_x.size + p.of_dy.size;

  // Of the window of columns, what is on the image.
  int const left       = share.column * engine::stride_width - p.pad_left;
  int const x_column   = p.whole_rows ? 0 : max(left, 0);
  int const x_columns  = p.whole_rows ? p.of_x.width
                                      : min(left + (share.columns - 1) * engine::stride_width +
                                              engine::filter_width,
                                            p.of_x.width) -
                                         x_column;
  int const x_channel  = p.multiplier.quotient(share.channel);
  int const x_planes   = p.multiplier.quotient(share.channel + share.channels - 1) - x_channel + 1;
  auto const images_of = [&](int tile) { return min(p.images, share.images - tile * p.images); };
  auto const x_runs    = [&](int tile) {
    std::int64_t const image = share.image + tile * p.images;
    return p.of_x.runs(p.x + image * p.of_x.image + x_channel * p.of_x.plane, images_of(tile),
                       p.whole_planes ? x_planes : 1, x_column, x_columns, p.whole_rows);
  };
  auto const dy_runs = [&](int tile) {
    std::int64_t const image = share.image + tile * p.images;
    return p.of_dy.runs(p.dy + image * p.of_dy.image + share.channel * p.of_dy.plane,
                        images_of(tile), p.whole_planes ? share.channels : 1, share.column,
                        share.columns, p.whole_rows);
  };

  int const tiles = (share.images + p.images - 1) / p.images;
  int const total = tiles * p.chunks.divisor();
  pair_load<how> staging{barriers};
  auto const start = [&](int k) {
    if (k >= total) { return staging.skip(); }
    int const tile   = p.chunks.quotient(k);
    auto const chunk = p.chunk(k - tile * p.chunks.divisor(), share.from, share.until);
    T* const stage   = areas + (k & 1) * stage_size;
    staging.template start<T>(
      k,
      {x_runs(tile), chunk.x_row, x_columns > 0 ? chunk.x_rows : 0, stage, {p.x, p.x_end}},
      {dy_runs(tile), chunk.dy_row, chunk.dy_rows, stage + p.of_x.size, {p.dy, p.dy_end}});
  };
  static_assert(tile_stages == 2);
#pragma unroll 1
  for (int k = 0; k < tile_stages; ++k) { start(k); }

  // Along a row, down a plane, over images, over channels.
  int const line     = p.across.quotient(static_cast<int>(threadIdx.x));
  int const column   = (static_cast<int>(threadIdx.x) - line * p.across.divisor()) * engine::columns;
  int const below    = p.down.quotient(line);
  int const segment  = line - below * p.down.divisor();
  int const channel  = p.beside.quotient(below);
  int const image    = below - channel * p.beside.divisor();
  int const outputs  = channel < share.channels ? min(engine::columns, share.columns - column) : 0;
  int const x_plane  = p.multiplier.quotient(share.channel + min(channel, share.channels - 1)) -
                      x_channel;
  int const first_x_column = (share.column + column) * engine::stride_width - p.pad_left;
  engine of_thread{first_x_column, x_column, x_column + x_columns, outputs};
  // In whole planes a thread has a segment, else the strip.
  int const from  = p.whole_planes ? share.from + segment * p.segment : share.from;
  int const until = p.whole_planes ? min(from + p.segment, share.until) : share.until;
  int const x_from =
    (p.whole_planes ? x_plane * p.of_x.height * p.of_x.width : 0) + first_x_column - x_column;
  int const dy_from = (p.whole_planes ? channel * p.of_dy.height * p.of_dy.width : 0) + column;
  block_sync();  // nobody waits on a barrier that is not set up

#pragma unroll 1
  for (int k = 0; k < total; ++k) {
    int const tile   = p.chunks.quotient(k);
    auto const chunk = p.chunk(k - tile * p.chunks.divisor(), share.from, share.until);
    staging.wait(k);
    if (outputs > 0 && image < images_of(tile)) {
      T const* const stage = areas + (k & 1) * stage_size;
      plane_place const x_place{x_runs(tile), false, image, 0};
      plane_place const dy_place{dy_runs(tile), false, image, 0};
      int const begin = p.whole_planes ? from - (engine::live - 1) : chunk.begin;
      int const end   = p.whole_planes ? until : chunk.end;
      window_filter_rows<T> rows;
      rows.x_row = max(max(begin, from) * engine::stride_height - p.pad_top, 0);
      rows.x_end = min(end * engine::stride_height - p.pad_top, p.of_x.height);
      rows.x_end = max(rows.x_end, rows.x_row);
      rows.x     = stage + x_place.offset() + x_place.past(x_place.alignment(), chunk.x_row) + x_from +
               (rows.x_row - chunk.x_row) * p.of_x.pitch;
      rows.x_pitch = p.of_x.pitch;
      rows.dy_row  = chunk.dy_row;
      rows.dy_end  = chunk.dy_row + chunk.dy_rows;
      rows.dy      = stage + p.of_x.size + dy_place.offset() +
                dy_place.past(dy_place.alignment(), chunk.dy_row) + dy_from;
      rows.dy_pitch = p.of_dy.pitch;
      of_thread.walk(rows, begin, end, p.pad_top);
    }
    block_sync();
    start(k + tile_stages);
  }
  // What is left of the stages is nobody's any more.
  add_up_threads(of_thread,
                 reinterpret_cast<sum*>(dynamic_shared_memory<unsigned char>() +
                                        window_filter_layout::barrier_bytes),
                 p, share);
}

DWCONV_ABI_NAMESPACE_END
