// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/kernels/window/filter_params.hpp>
#include <dwconv/staging/staged_run.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

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
  int x_channel;  ///< First channel of x,
  int x_channels;
  int x_column;  ///< and what the window has of its columns; of none there may be less than none.
  int x_columns;

  template <typename Params>
  [[nodiscard]] static __device__ window_filter_share of(Params const& p, int block)
  {
    // Windows of a strip first, then strips, channels, images: as memory goes.
    int const strips = p.windows.quotient(block);
    int const window = block - strips * p.windows.divisor();
    int const groups = p.strips.quotient(strips);
    int const strip  = strips - groups * p.strips.divisor();
    int const part   = p.groups.quotient(groups);
    window_filter_share s;
    s.split         = (part * p.strips.divisor() + strip) * p.windows.divisor() + window;
    s.channel       = (groups - part * p.groups.divisor()) * p.channels;
    s.channels      = min(p.channels, p.output_channels - s.channel);
    s.image         = part * p.part;
    s.images        = min(p.part, p.batch - s.image);
    s.from          = p.first_step + strip * p.strip;
    s.until         = min(s.from + p.strip, p.end_step);
    s.column        = window * p.columns;
    s.columns       = min(p.columns, p.of_dy.width - s.column);
    s.x_channel     = p.multiplier.quotient(s.channel);
    s.x_channels    = p.multiplier.quotient(s.channel + s.channels - 1) - s.x_channel + 1;
    int const left  = s.column * p.stride_width - p.pad_left;
    int const right = left + (s.columns - 1) * p.stride_width + p.filter_width;
    s.x_column      = p.whole_rows ? 0 : max(left, 0);
    s.x_columns     = p.whole_rows ? p.of_x.width : min(right, p.of_x.width) - s.x_column;
    return s;
  }
};

/// Where the walk of a block is: a chunk of some images.
struct window_filter_place {
  int images;  ///< Left, those of the chunk included; none at the end.
  int begin;   ///< The chunk's first step.
  int stage      = 0;
  unsigned phase = 0;  ///< Times the stage has been used before, modulo two.

  template <typename Params>
  __device__ window_filter_place(Params const& p, window_filter_share const& s)
    : images{s.images}, begin{p.first_of_strip(s.from)}
  {}

  /// Goes on to the next chunk.
  ///
  /// @return Whether it is one of other images.
  template <typename Params>
  __device__ bool advance(Params const& p, window_filter_share const& s)
  {
    if (++stage == p.stages) {
      stage = 0;
      phase ^= 1u;
    }
    begin += p.steps;
    if (!p.whole_planes && begin < s.until) { return false; }
    begin = p.first_of_strip(s.from);
    images -= p.images;
    return true;
  }
};

/// Brings the chunks of a block's walk in, each into a stage.
template <typename T, mover How>
class window_filter_feed {
 public:
  /// The block synchronises before it waits. The first stage is at `area`.
  template <typename Params>
  __device__ window_filter_feed(Params const& p, window_filter_share const& s,
                                transaction_barrier* landed, T* area)
    : place_{p, s},
      landed_{landed},
      area_{area},
      x_{p.x + s.image * p.of_x.image + s.x_channel * p.of_x.plane + s.x_column},
      dy_{p.dy + s.image * p.of_dy.image + s.channel * p.of_dy.plane + s.column},
      x_fixed_{p.whole_planes ? (s.x_channels - 1) * static_cast<int>(p.of_x.plane) : 0},
      dy_fixed_{p.whole_planes ? (s.channels - 1) * static_cast<int>(p.of_dy.plane) : 0},
      server_{1 - p.stages}
  {
    if constexpr (How == mover::bulk) {
      if (threadIdx.x == 0) {
#pragma unroll
        for (int stage = 0; stage < window_filter_most_stages; ++stage) { landed_[stage].init(1); }
        fence_barrier_init();
      }
      if (warp_index() == 0) { warp_sync(); }
    }
  }

  /// Starts the next chunk, if there is one, once the block is done with the one that had its
  /// stage.
  template <typename Params>
  __device__ void start(Params const& p, window_filter_share const& s)
  {
    if (place_.images > 0) {
      auto const rows  = p.chunk(place_.begin, s.from, s.until);
      T* const x_area  = area_ + place_.stage * (p.of_x.size + p.of_dy.size);
      int const x_rows = s.x_columns > 0 ? rows.x_rows : 0;
      if constexpr (How == mover::bulk) {
        if (warp_index() == max(server_, 0)) {
          int const lane = lane_index();
          auto const a = run(p, p.of_x, x_, x_fixed_, s.x_columns, rows.x_row, x_rows, lane, x_area,
                             {p.x, p.x_end})
                           .cut();
          auto const b = run(p, p.of_dy, dy_, dy_fixed_, s.columns, rows.dy_row, rows.dy_rows, lane,
                             x_area + p.of_x.size, {p.dy, p.dy_end})
                           .cut();
          unsigned const all          = warp_sum(a.bytes + b.bytes);
          transaction_barrier& landed = landed_[place_.stage];
          warp_sync();
          if (lane == 0) { landed.arrive_and_expect(all); }
          a.load(landed, p.passing);
          b.load(landed, p.passing);
        }
        ++server_;
        if (server_ * warp_lanes >= static_cast<int>(blockDim.x)) { server_ = 0; }
      } else {
        constexpr bool async = How == mover::async;
        for (int r = 0; r < runs(p, x_rows); ++r) {
          run(p, p.of_x, x_, x_fixed_, s.x_columns, rows.x_row, x_rows, r, x_area, {p.x, p.x_end})
            .template share_out<async>();
        }
        for (int r = 0; r < runs(p, rows.dy_rows); ++r) {
          run(p, p.of_dy, dy_, dy_fixed_, s.columns, rows.dy_row, rows.dy_rows, r,
              x_area + p.of_x.size, {p.dy, p.dy_end})
            .template share_out<async>();
        }
      }
      if (place_.advance(p, s)) {
        x_ += p.images * p.of_x.image;
        dy_ += p.images * p.of_dy.image;
      }
    }
    if constexpr (How == mover::async) { async_commit(); }
  }

  /// Waits for the chunk at `place`, the next of the walk; every thread of the block does.
  template <typename Params>
  __device__ void wait(Params const& p, window_filter_place const& place)
  {
    if constexpr (How == mover::bulk) {
      landed_[place.stage].wait(place.phase);
    } else {
      if constexpr (How == mover::async) {
        static_assert(window_filter_most_stages == 3);
        if (p.stages == 1) {
          async_wait<0>();
        } else if (p.stages == 2) {
          async_wait<1>();
        } else {
          async_wait<2>();
        }
      }
      block_sync();
    }
  }

 private:
  template <typename Params>
  [[nodiscard]] __device__ int runs(Params const& p, int rows) const
  {
    return !p.whole_rows ? rows : min(p.images, place_.images);
  }

  /// Run number `r` of a tensor's part of the chunk; empty if there is none.
  template <typename Params>
  [[nodiscard]] __device__ staged_run<T> run(Params const& p, window_filter_source const& of,
                                             T const* first, int fixed, int columns, int row,
                                             int rows, int r, T* area, tensor_range<T> tensor) const
  {
    bool const here = rows > 0 && r < runs(p, rows);
    int const count = p.whole_rows ? rows * of.width + fixed : columns;
    T const* from   = first;
    // A window's rows keep their distance to a boundary by their pitch; the first decides.
    if (p.whole_rows) {
      from += r * of.image + static_cast<std::int64_t>(row) * of.width;
      area += r * of.run;
    } else {
      T const* const top = first + static_cast<std::int64_t>(row) * of.width;
      from               = top + static_cast<std::int64_t>(r) * of.width;
      area += r * of.pitch + past_boundary(top) - past_boundary(from);
    }
    return {from, here ? count : 0, area, tensor};
  }

  window_filter_place place_;
  transaction_barrier* landed_;
  T* area_;
  T const* x_;   ///< Row 0 of the first run of the images at hand,
  T const* dy_;  ///< of each tensor.
  int x_fixed_;  ///< Elements of a run besides those of its rows.
  int dy_fixed_;
  /// The warp that starts the next copies: each in turn, so that none falls behind. Below zero it
  /// is the first, which has set the barriers up: the block has not yet synchronised.
  int server_;
};

DWCONV_ABI_NAMESPACE_END
