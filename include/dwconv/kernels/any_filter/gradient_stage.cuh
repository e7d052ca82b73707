// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/any_filter/engine.cuh>
#include <dwconv/kernels/any_filter/gradient_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// What a block sums: a tile of taps of one output channel over the units of a split.
struct any_filter_gradient_share {
  int split;
  int channel;
  gradient_tap_tile down;
  gradient_tap_tile across;
  int unit;  ///< First,
  int end;   ///< and one past the last.

  template <typename Params>
  [[nodiscard]] static __device__ any_filter_gradient_share of(Params const& p, int block)
  {
    int const tiles = p.output_channels.quotient(block);
    int const split = p.tiles.quotient(tiles);
    int const tile  = tiles - split * p.tiles.divisor();
    int const down  = p.column_tiles.quotient(tile);
    any_filter_gradient_share s;
    s.split   = split;
    s.channel = block - tiles * p.output_channels.divisor();
    s.down    = gradient_tap_tile::of(p.rows, down);
    s.across  = gradient_tap_tile::of(p.columns, tile - down * p.column_tiles.divisor());
    s.unit    = split * p.per_split;
    s.end     = min(s.unit + p.per_split, p.units);
    return s;
  }
};

/// A piece of dy of some images, and what of x it meets.
struct any_filter_gradient_unit {
  int image;
  int images;
  gradient_piece down;
  gradient_piece across;

  template <typename Params>
  [[nodiscard]] static __device__ any_filter_gradient_unit
  of(Params const& p, any_filter_gradient_share const& share, int index)
  {
    int const line = p.column_pieces.quotient(index);
    int const part = p.row_pieces.quotient(line);
    any_filter_gradient_unit u;
    u.image  = part * p.images;
    u.images = min(p.images, p.batch - u.image);
    u.down   = gradient_piece::of(p.rows, share.down, line - part * p.row_pieces.divisor());
    u.across =
      gradient_piece::of(p.columns, share.across, index - line * p.column_pieces.divisor());
    return u;
  }
};

/// Brings units to shared memory, in the type of the sums.
template <typename T>
struct any_filter_gradient_stage {
  using sum                  = sum_of<T>;
  using params               = any_filter_gradient_params<T, sum>;
  static constexpr int chunk = any_filter_gradient_sums(static_cast<int>(sizeof(T))).chunk;

  /// Zeros, for what is not brought: once, where all units are alike.
  static __device__ void clear(params const& p, sum* area)
  {
    any_filter_quad<sum> const zeros{};
#pragma unroll 4
    for (int at = static_cast<int>(threadIdx.x) * 4; at < p.stage;
         at += static_cast<int>(blockDim.x) * 4) {
      *reinterpret_cast<any_filter_quad<sum>*>(area + at) = zeros;
    }
    block_sync();
  }

  static __device__ void bring(params const& p, any_filter_gradient_share const& s,
                               any_filter_gradient_unit const& u, sum* area)
  {
    int const step = p.rows.step.divisor();
    lines const of_x{p.x + (u.image * p.x_image + p.multiplier.quotient(s.channel) * p.x_plane +
                            (u.down.origin + std::int64_t{u.down.first} * step) * p.columns.input +
                            u.across.origin),
                     p.x_image,
                     step * std::int64_t{p.columns.input},
                     p.columns.step.divisor(),
                     u.across.first,
                     u.across.end,
                     u.images,
                     u.down.end - u.down.first};
    of_x.template bring<1>({area, p.x_staged, p.x_pitch, 1});
    lines const of_dy{p.dy + (u.image * p.dy_image + s.channel * p.dy_plane +
                              std::int64_t{u.down.output} * p.columns.output + u.across.output),
                      p.dy_image,
                      p.rows.outputs_apart * std::int64_t{p.columns.output},
                      p.columns.outputs_apart,
                      0,
                      u.across.count,
                      u.images,
                      u.down.count};
    of_dy.template bring<chunk>({area + p.dy_from, p.dy_staged, chunk, p.dy_chunk});
  }

  /// Waits for what this thread has brought.
  static __device__ void arrive()
  {
    if constexpr (asynchronous) {
      async_commit();
      async_wait<0>();
    }
  }

 private:
  /// Whether elements need no converting, and pass by the registers.
  static constexpr bool asynchronous = std::is_same_v<T, sum> && architecture() >= 80;

  /// Where lines lie in shared memory.
  struct target {
    sum* area;
    int image;
    int row;
    int chunk;  ///< From a chunk of neighbours to the next.
  };

  /// The same rows of planes of some images.
  struct lines {
    T const* from;  ///< The first row's place 0, which need not exist.
    std::int64_t image;
    std::int64_t row;
    int step;   ///< From a place to the next.
    int first;  ///< Place that is brought,
    int end;    ///< and one past the last.
    int images;
    int rows;

    /// Neighbouring threads bring neighbouring places. A thread keeps to its places and walks over
    /// the images, where all rows of some of them find threads, or down the rows of each image.
    template <int Chunk>
    __device__ void bring(target const& to) const
    {
      int shift = 0;
      while (shift < 5 && (1 << shift) < end - first) { ++shift; }
      int const own     = first + (static_cast<int>(threadIdx.x) & ((1 << shift) - 1));
      int const line    = static_cast<int>(threadIdx.x) >> shift;
      int const abreast = static_cast<int>(blockDim.x) >> shift;
      if (rows <= 0) { return; }
      bool const by_image = abreast >= rows;
      int const together  = by_image ? abreast / rows : 1;
      int const which     = by_image ? line / rows : 0;
      int const at        = line - which * rows;
      if (which >= together || (!by_image && line >= rows)) { return; }
      walk of{};
      of.count       = by_image ? (images - which + together - 1) / together
                                : (rows - line + abreast - 1) / abreast;
      of.source_jump = by_image ? together * image : abreast * row;
      of.to_jump     = by_image ? together * to.image : abreast * to.row;
#pragma unroll 1
      for (int n = which; n < images; n += by_image ? images : 1) {
        T const* const source = from + (n * image + at * row);
        sum* const area       = to.area + (n * to.image + at * to.row);
#pragma unroll 1
        for (int place = own; place < end; place += 1 << shift) {
          of.source = source + std::int64_t{place} * step;
          of.to     = area + (place / Chunk * to.chunk + place % Chunk);
          of.all();
        }
      }
    }
  };

  /// Elements of one place in several rows or images.
  struct walk {
    T const* source;
    sum* to;
    std::int64_t source_jump;
    int to_jump;
    int count;

    __device__ void all() const
    {
      T const* source_now = source;
      sum* to_now         = to;
      if constexpr (asynchronous) {
#pragma unroll 4
        for (int left = count; left > 0; --left) {
          async_copy<sizeof(T)>(to_now, source_now);
          source_now += source_jump;
          to_now += to_jump;
        }
      } else {
        constexpr int in_flight = 8;
#pragma unroll 1
        for (int left = count; left > 0; left -= in_flight) {
          T loaded[in_flight];
#pragma unroll
          for (int k = 0; k < in_flight; ++k) {
            if (k < left) { loaded[k] = load_read_only(source_now + k * source_jump); }
          }
#pragma unroll
          for (int k = 0; k < in_flight; ++k) {
            if (k < left) { to_now[k * to_jump] = to_sum(loaded[k]); }
          }
          source_now += in_flight * source_jump;
          to_now += in_flight * to_jump;
        }
      }
    }
  };
};

DWCONV_ABI_NAMESPACE_END
