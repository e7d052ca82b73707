// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/launch_order.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/any_filter/gradient_engine.cuh>
#include <dwconv/kernels/any_filter/gradient_stage.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// A compiled kernel of one element type.
template <element T>
struct any_filter_gradient_config {
  using element_type = T;
  using sum          = sum_of<T>;
  using params       = any_filter_gradient_params<T, sum>;
  static constexpr any_filter_gradient_shape shape =
    any_filter_gradient_sums(static_cast<int>(sizeof(T)));
  static constexpr int blocks = any_filter_gradient_blocks(static_cast<int>(sizeof(T)));
  using engine = any_filter_gradient_engine<sum, shape.rows, shape.columns, shape.chunk>;
};

/// Which taps a thread sums, and over what of each unit.
struct any_filter_gradient_place {
  int down;    ///< First row of taps, within the block's tile.
  int across;  ///< Which of the threads across the tile,
  int beside;  ///< across a piece of dy,
  int image;   ///< and of a unit's images.

  template <typename Params>
  [[nodiscard]] static __device__ any_filter_gradient_place of(Params const& p, int rows)
  {
    // From one lane, so that the compiler sees that a warp is in one place down the tile.
    int const warp  = shuffle(warp_index(), 0);
    int const place = p.groups.quotient(warp);
    int const slot  = (warp - place * p.groups.divisor()) * warp_lanes + lane_index();
    int const outer = p.across.quotient(slot);
    any_filter_gradient_place at;
    at.down   = place * rows;
    at.across = slot - outer * p.across.divisor();
    at.image  = p.beside.quotient(outer);
    at.beside = outer - at.image * p.beside.divisor();
    return at;
  }
};

/// Adds a unit that lies at `area`.
template <typename Config>
__device__ void add_unit(typename Config::params const& p, any_filter_gradient_share const& share,
                         any_filter_gradient_unit const& u, any_filter_gradient_place const& at,
                         typename Config::sum const* area, typename Config::engine& engine)
{
  constexpr any_filter_gradient_shape shape = Config::shape;
  int const rows                            = min(share.down.count - at.down, shape.rows);
  int const begin                           = max(u.down.first - at.down, 0);
  int const end                             = min(u.down.end - at.down, u.down.count + rows - 1);
  bool const none                           = rows <= 0 || u.down.count <= 0 || u.across.count <= 0;
  if (none || at.image >= u.images) { return; }
  // Nearly all rows of taps go the short way together, those that are not there included.
  unsigned const wanted = rows + 2 >= shape.rows ? ~0u : (1u << rows) - 1;
  auto const* const x   = area + at.image * p.x_staged + at.across * shape.columns +
                        (at.down + begin - u.down.first) * p.x_pitch;
  auto const* const dy = area + p.dy_from + at.image * p.dy_staged + begin * shape.chunk;
#pragma unroll 1
  for (int chunk = at.beside; chunk * shape.chunk < u.across.count; chunk += p.beside.divisor()) {
    int const mark = at.across * shape.columns + chunk * shape.chunk;
    if (mark < u.across.end && mark + shape.columns + shape.chunk - 1 > u.across.first) {
      engine.walk(x + chunk * shape.chunk, p.x_pitch, dy + chunk * p.dy_chunk, begin, end,
                  u.down.count, wanted);
    }
  }
}

/// Adds up what the threads of a block have summed of each tap, and leaves it in the workspace: a
/// row of every thread's taps after the other, each of which a few threads add in a fixed order.
template <typename Config>
__device__ void add_up_lanes(typename Config::params const& p,
                             any_filter_gradient_share const& share,
                             typename Config::engine const& engine, typename Config::sum* area)
{
  using sum                                 = typename Config::sum;
  constexpr any_filter_gradient_shape shape = Config::shape;
  int const thread                          = static_cast<int>(threadIdx.x);
  int const threads                         = static_cast<int>(blockDim.x);
  int const width                           = p.across.divisor() * shape.columns;
  int const of_place                        = p.groups.divisor() * warp_lanes;
  int const members                         = p.beside.divisor() * p.images;
  int const places                          = p.down;
  sum* const partial =
    p.partial +
    (static_cast<std::int64_t>(share.split) * p.output_channels.divisor() + share.channel) *
      (std::int64_t{p.rows.taps} * p.columns.taps);
#pragma unroll
  for (int i = 0; i < shape.rows; ++i) {
    block_sync();
#pragma unroll
    for (int v = 0; v < shape.columns; ++v) { area[v * threads + thread] = engine.sums[i][v]; }
    block_sync();
#pragma unroll 1
    for (int item = thread; item < places * width; item += threads) {
      int const lane   = item / shape.columns;
      int const place  = p.across.quotient(lane);
      int const across = lane - place * p.across.divisor();
      int const column = item - place * width;
      int const row    = place * shape.rows + i;
      if (row >= share.down.count || column >= share.across.count) { continue; }
      sum const* const from = area + (item % shape.columns * threads + place * of_place + across);
      sum total             = sum(0);
#pragma unroll 4
      for (int m = 0; m < members; ++m) { total += from[m * p.across.divisor()]; }
      int const kh = share.down.tap + row * p.rows.taps_apart;
      int const kw = share.across.tap + column * p.columns.taps_apart;

      partial[std::int64_t{kh} * p.columns.taps + kw] = total;
    }
  }
}

/// A block takes the units of its split one after the other: several share a multiprocessor, and
/// while one waits for memory, another multiplies. A thread stays with its taps, so that its sums
/// stay in registers all the way.
template <typename Config>
__global__ void __launch_bounds__(any_filter_gradient_threads, Config::blocks)
  any_filter_gradient_kernel(typename Config::params const p)
{
  using stage = any_filter_gradient_stage<typename Config::element_type>;

  auto const share = any_filter_gradient_share::of(p, static_cast<int>(blockIdx.x));
  auto const at    = any_filter_gradient_place::of(p, Config::shape.rows);
  auto* const area = dynamic_shared_memory<typename Config::sum>();
  typename Config::engine engine;
  engine.clear();
  let_next_launch_begin();
#pragma unroll 1
  for (int index = share.unit; index < share.end; ++index) {
    auto const unit = any_filter_gradient_unit::of(p, share, index);
    block_sync();  // what was staged before is nobody's any more
    if (index == share.unit || !p.alike) { stage::clear(p, area); }
    stage::bring(p, share, unit, area);
    stage::arrive();
    block_sync();
    add_unit<Config>(p, share, unit, at, area, engine);
  }
  add_up_lanes<Config>(p, share, engine, area);
}

DWCONV_ABI_NAMESPACE_END
