// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/launch_order.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/window/backward_filter.cuh>
#include <dwconv/kernels/window/filter_feed.cuh>
#include <dwconv/kernels/window/joint_engine.cuh>
#include <dwconv/kernels/window/joint_params.hpp>
#include <dwconv/kernels/window/joint_store.cuh>
#include <dwconv/problem/static_shape.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled window kernel of dx and dfilter in one pass.
template <element T, static_taps Taps, mover Mover = mover::newest>
struct window_joint_config {
  using element_type                      = T;
  using params                            = window_joint_params<T, sum_of<T>>;
  static constexpr extent2 taps           = Taps::extent;
  static constexpr mover how              = Mover;
  static constexpr int columns_per_thread = window_filter_columns(taps, sizeof(T));
  static constexpr int blocks             = window_joint_blocks(taps, sizeof(T));
};

/// The share of a block: `window_filter_share` for windows of columns of x, with the columns of dy
/// that they meet.
template <typename Params>
[[nodiscard]] __device__ window_filter_share joint_share(Params const& p, int block)
{
  auto s = window_filter_share::of(p, block);
  if (p.whole_rows) {
    s.columns = p.of_dy.width;
    return s;
  }
  s.x_column      = s.column;
  s.x_columns     = min(p.columns, p.of_x.width - s.x_column);
  int const left  = s.x_column + p.pad_left - (p.filter_width - 1);
  int const right = s.x_column + s.x_columns + p.pad_left;
  s.column        = max(left, 0);
  s.columns       = min(right, p.of_dy.width) - s.column;
  return s;
}

/// dx and what the block has of dfilter. A block walks its images, some at a time, through shared
/// memory in chunks of rows: while one chunk is multiplied the next is on its way in, and the dx of
/// the one before, which took the place of its x, on its way out. A thread stays with its columns
/// and its channel, so that its sums stay in registers all the way.
template <typename Config>
__global__ void __launch_bounds__(window_filter_threads, Config::blocks)
  window_joint_kernel(typename Config::params const p)
{
  using T             = typename Config::element_type;
  using engine        = window_joint_engine<Config>;
  using sum           = typename engine::sum;
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;

  auto const share     = joint_share(p, static_cast<int>(blockIdx.x));
  auto* const barriers = dynamic_shared_memory<transaction_barrier>();
  T* const areas =
    dynamic_shared_memory<T>() + window_filter_layout::barrier_bytes / sizeof(T) + p.slack;
  window_filter_feed<T, how> feed{p, share, barriers, areas};
#pragma unroll 1
  for (int stage = 0; stage < p.stages; ++stage) { feed.start(p, share); }
  window_joint_store<T, how> store{p, share};
  let_next_launch_begin();

  // Along a row, down a plane, over images, over channels.
  int const line    = p.across.quotient(static_cast<int>(threadIdx.x));
  int const column  = (static_cast<int>(threadIdx.x) - line * p.across.divisor()) * engine::columns;
  int const below   = p.down.quotient(line);
  int const segment = line - below * p.down.divisor();
  int const channel = p.beside.quotient(below);
  int const image   = below - channel * p.beside.divisor();
  int const owned =
    channel < share.channels ? max(min(engine::columns, share.x_columns - column), 0) : 0;
  int const dy_column = share.x_column + column + p.pad_left - (engine::filter_width - 1);
  engine of_thread{
    p.filter +
      static_cast<std::int64_t>(share.channel + min(channel, share.channels - 1)) * engine::taps,
    dy_column, share.column, share.column + share.columns, owned};

  // Where the thread finds its first row of each tensor in a stage, but for how far past a boundary
  // its run lies.
  int const planes = p.whole_planes ? channel : 0;
  int const x_from =
    image * p.of_x.run * p.images_apart + planes * p.of_x.height * p.of_x.width + column;
  int const dy_from = p.of_x.size + image * p.of_dy.run * p.images_apart +
                      planes * p.of_dy.height * p.of_dy.width + dy_column - share.column;
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

  int const needed = opaque(owned > 0 ? image : INT32_MAX);  // more images than that

  window_filter_place place{p, share};
  int server = 0;
  block_sync();  // nobody waits on a barrier that is not set up
#pragma unroll 1
  while (place.images > 0) {
    feed.wait(p, place);
    T* const stage   = areas + place.stage * (p.of_x.size + p.of_dy.size);
    auto const chunk = p.chunk(place.begin, share.from, share.until);
    if (needed < place.images) {
      int const begin = p.whole_planes ? p.first_of_strip(from) : place.begin;
      int const end   = p.whole_planes ? until : min(begin + p.steps, until);
      window_joint_rows<T> rows;
      rows.x_row            = max(max(begin, from) - p.pad_top, 0);
      rows.x_end            = max(min(end - p.pad_top, p.of_x.height), rows.x_row);
      unsigned const x_run  = x_past + past(chunk.x_row, p.of_x.width);
      unsigned const dy_run = dy_past + past(chunk.dy_row, p.of_dy.width);
      rows.x                = stage + x_from + static_cast<int>(x_run % piece) +
               (rows.x_row - chunk.x_row) * p.of_x.pitch;
      rows.x_pitch  = p.of_x.pitch;
      rows.dy_row   = chunk.dy_row;
      rows.dy_end   = chunk.dy_row + chunk.dy_rows;
      rows.dy       = stage + dy_from + static_cast<int>(dy_run % piece);
      rows.dy_pitch = p.of_dy.pitch;
      of_thread.walk(rows, begin, end, p.pad_top);
    }
    store.finish();
    block_sync();
    ++server;
    if (server * warp_lanes >= static_cast<int>(blockDim.x)) { server = 0; }
    store.start(p, share, stage, chunk.x_row, chunk.x_rows, place.images, server);
    if (place.advance(p, share)) {
      x_past += past(p.images, p.of_x.image);
      dy_past += past(p.images, p.of_dy.image);
      store.advance(p);
    }
    if (how != mover::bulk || !p.alike) { block_sync(); }
    if (warp_index() == server) { store.drain(); }
    feed.start(p, share);
  }
  store.drain();
  block_sync();
  // What is left of the stages is nobody's any more.
  add_up_threads(of_thread,
                 reinterpret_cast<sum*>(dynamic_shared_memory<unsigned char>() +
                                        window_filter_layout::barrier_bytes),
                 p, share);
}

DWCONV_ABI_NAMESPACE_END
