// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/launch_order.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/window/filter_engine.cuh>
#include <dwconv/kernels/window/filter_feed.cuh>
#include <dwconv/kernels/window/filter_params.hpp>
#include <dwconv/problem/static_shape.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled window kernel of backward_filter.
///
/// @tparam Dilated Whether rows and columns that meet are a dilation apart, which is read at run
/// time. The stride is 1 then, and chunks have whole planes.
template <element T, static_taps Taps, static_stride Stride, mover Mover = mover::newest,
          bool Dilated = false>
struct window_filter_config {
  using element_type                      = T;
  using params                            = window_filter_params<T, sum_of<T>>;
  static constexpr extent2 taps           = Taps::extent;
  static constexpr extent2 stride         = Stride::extent;
  static constexpr mover how              = Mover;
  static constexpr bool dilated           = Dilated;
  static constexpr int columns_per_thread = window_filter_columns(taps, sizeof(T));
  static constexpr int blocks             = window_filter_blocks(taps, stride, sizeof(T), Dilated);
  static constexpr int turns              = window_filter_turns(taps, stride);
  /// Code for sm_100 and newer takes some registers more, which matters where all are taken.
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int blocks_on(int architecture)
  {
    return architecture >= 100 && turns == 1 && blocks > 1 ? blocks - 1 : blocks;
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
  int const lanes   = 1 << p.sum_shift;
  int const own     = thread >> p.sum_shift;
  int const lane    = thread & (lanes - 1);
  sum* const partial =
    p.partial +
    (static_cast<std::int64_t>(share.split) * p.output_channels + share.channel) * Engine::taps;
  int const elements = share.channels * Engine::taps;
#pragma unroll 1
  for (int first = 0; first < elements; first += threads >> p.sum_shift) {
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

/// Rows that meet are a dilation apart: those of each phase are a plane of their own, down which a
/// thread walks a segment, and then another. `plane` is at the first rows of x and of dy.
template <typename Engine, typename Params>
__device__ void walk_phases(Engine& engine, window_filter_rows<typename Engine::T> const& plane,
                            Params const& p, int first)
{
#pragma unroll 1
  for (int walk = first; walk < p.walks; walk += p.down.divisor()) {
    int const number = p.phases.quotient(walk);
    int const phase  = walk - number * p.phases.divisor();
    // Row m of x of this phase is row m * dilation + top.
    int const pad     = p.pad_top > phase ? p.phases.quotient_up(p.pad_top - phase) : 0;
    int const top     = pad * p.phases.divisor() + phase - p.pad_top;
    int const x_rows  = p.of_x.height > top ? p.phases.quotient_up(p.of_x.height - top) : 0;
    int const dy_rows = p.of_dy.height > phase ? p.phases.quotient_up(p.of_dy.height - phase) : 0;
    window_filter_rows<typename Engine::T> rows = plane;
    rows.x_row                                  = number * p.segment;
    rows.x_end    = min(min(rows.x_row + p.segment, x_rows), dy_rows + Engine::live - 1 - pad);
    rows.x        = plane.x + (top + rows.x_row * p.phases.divisor()) * plane.x_pitch;
    rows.x_pitch  = plane.x_pitch * p.phases.divisor();
    rows.dy       = plane.dy + phase * plane.dy_pitch;
    rows.dy_pitch = plane.dy_pitch * p.phases.divisor();
    rows.dy_row   = 0;
    rows.dy_end   = dy_rows;
    if (dy_rows > 0 && rows.x_row < rows.x_end) {
      engine.walk(rows, rows.x_row + pad - (Engine::live - 1), rows.x_end + pad, pad);
    }
  }
}

/// A block walks its images, some at a time, through shared memory in chunks of rows: while one
/// chunk is multiplied the next is on its way. A thread stays with its columns and its channel, so
/// that its sums stay in registers all the way.
template <typename Config>
__global__ void __launch_bounds__(window_filter_threads, Config::blocks_on(architecture()))
  window_filter_kernel(typename Config::params const p)
{
  using T             = typename Config::element_type;
  using engine        = window_filter_engine<Config>;
  using sum           = typename engine::sum;
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;

  auto const share     = window_filter_share::of(p, static_cast<int>(blockIdx.x));
  auto* const barriers = dynamic_shared_memory<transaction_barrier>();
  T* const areas =
    dynamic_shared_memory<T>() + window_filter_layout::barrier_bytes / sizeof(T) + p.slack;
  window_filter_feed<T, how> feed{p, share, barriers, areas};
#pragma unroll 1
  for (int stage = 0; stage < p.stages; ++stage) { feed.start(p, share); }
  let_next_launch_begin();

  // Along a row, down a plane, over images, over channels.
  int const line    = p.across.quotient(static_cast<int>(threadIdx.x));
  int const column  = (static_cast<int>(threadIdx.x) - line * p.across.divisor()) * engine::columns;
  int const below   = p.down.quotient(line);
  int const segment = line - below * p.down.divisor();
  int const channel = p.beside.quotient(below);
  int const image   = below - channel * p.beside.divisor();
  int const outputs = channel < share.channels ? min(engine::columns, share.columns - column) : 0;
  int const x_column = (share.column + column) * engine::stride_width - p.pad_left;
  engine of_thread{x_column, share.x_column, share.x_column + share.x_columns, outputs,
                   p.dilation_width};

  // Where the thread finds its first row of each tensor in a stage, but for how far past a boundary
  // its run lies.
  int const x_plane =
    p.multiplier.quotient(share.channel + min(channel, share.channels - 1)) - share.x_channel;
  int const planes = p.whole_planes ? 1 : 0;
  int const x_from = image * p.of_x.run * p.images_apart +
                     planes * x_plane * p.of_x.height * p.of_x.width + x_column - share.x_column;
  int const dy_from = p.of_x.size + image * p.of_dy.run * p.images_apart +
                      planes * channel * p.of_dy.height * p.of_dy.width + column;
  constexpr unsigned piece = copy_bytes / sizeof(T);
  // Elements that `count` rows, planes or images are; as only boundaries matter, it may wrap
  // around.
  auto const past = [](int count, std::int64_t elements) {
    return static_cast<unsigned>(count) * static_cast<unsigned>(elements);
  };
  unsigned x_past = p.x_past + past(share.image + image, p.of_x.image) +
                    past(share.x_channel, p.of_x.plane) + static_cast<unsigned>(share.x_column);
  unsigned dy_past = p.dy_past + past(share.image + image, p.of_dy.image) +
                     past(share.channel, p.of_dy.plane) + static_cast<unsigned>(share.column);
  // In whole planes a thread has a segment, else the strip.
  int const from  = p.whole_planes ? share.from + segment * p.segment : share.from;
  int const until = p.whole_planes ? min(from + p.segment, share.until) : share.until;

  int const needed = opaque(outputs > 0 ? image : INT32_MAX);  // more images than that

  window_filter_place place{p, share};
  block_sync();  // nobody waits on a barrier that is not set up
#pragma unroll 1
  while (place.images > 0) {
    feed.wait(p, place);
    if (needed < place.images) {
      auto const chunk     = p.chunk(place.begin, share.from, share.until);
      T const* const stage = areas + place.stage * (p.of_x.size + p.of_dy.size);
      window_filter_rows<T> rows;
      unsigned const x_run  = x_past + past(chunk.x_row, p.of_x.width);
      unsigned const dy_run = dy_past + past(chunk.dy_row, p.of_dy.width);
      rows.x                = stage + x_from + static_cast<int>(x_run % piece);
      rows.dy               = stage + dy_from + static_cast<int>(dy_run % piece);
      rows.x_pitch          = p.of_x.pitch;
      rows.dy_pitch         = p.of_dy.pitch;
      if constexpr (engine::dilated) {
        walk_phases(of_thread, rows, p, segment);
      } else {
        int const begin = p.whole_planes ? p.first_of_strip(from) : place.begin;
        int const end   = p.whole_planes ? until : min(begin + p.steps, until);
        rows.x_row      = max(max(begin, from) * engine::stride_height - p.pad_top, 0);
        rows.x_end = max(min(end * engine::stride_height - p.pad_top, p.of_x.height), rows.x_row);
        rows.x += (rows.x_row - chunk.x_row) * p.of_x.pitch;
        rows.dy_row = chunk.dy_row;
        rows.dy_end = chunk.dy_row + chunk.dy_rows;
        of_thread.walk(rows, begin, end, p.pad_top);
      }
    }
    if (place.advance(p, share)) {
      x_past += past(p.images, p.of_x.image);
      dy_past += past(p.images, p.of_dy.image);
    }
    block_sync();
    feed.start(p, share);
  }
  // What is left of the stages is nobody's any more.
  add_up_threads(of_thread,
                 reinterpret_cast<sum*>(dynamic_shared_memory<unsigned char>() +
                                        window_filter_layout::barrier_bytes),
                 p, share);
}

DWCONV_ABI_NAMESPACE_END
