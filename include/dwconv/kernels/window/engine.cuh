// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/window/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Which outputs of a tile one thread computes: some neighbouring columns of some neighbouring rows
/// of a plane.
struct window_piece {
  int plane;  ///< Of the tile's output planes.
  int row;    ///< First, counted from the tile's first.
  int rows;   ///< None where the piece lies outside a tile that is cut short.
  int column;
  int columns;

  template <typename Params>
  [[nodiscard]] static __device__ window_piece of(Params const& p, tile_position const& tile,
                                                  int index, int columns_per_thread)
  {
    int const line = p.across.quotient(index);
    window_piece piece;
    piece.plane   = p.down.quotient(line);
    piece.column  = (index - line * p.across.divisor()) * columns_per_thread;
    piece.row     = (line - piece.plane * p.down.divisor()) * p.rows_per_thread;
    piece.rows    = min(p.rows_per_thread, tile.rows - piece.row);
    piece.columns = min(columns_per_thread, tile.columns - piece.column);
    if (index >= p.pieces || piece.plane >= tile.planes * p.frame.multiplier ||
        piece.columns <= 0) {
      piece.rows = 0;
    }
    return piece;
  }
};

/// Slides a window down the staged rows of one plane, for a few neighbouring columns.
///
/// Each input row is read once and added to the sums of every output row it touches: `live` rows of
/// sums in registers, which take turns. One output row is finished, and given to `retire`, every
/// `stride` input rows.
template <typename Config>
class window_engine {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int filter_height = static_cast<int>(Config::taps.height);
  static constexpr int filter_width  = static_cast<int>(Config::taps.width);
  static constexpr int stride_height = static_cast<int>(Config::stride.height);
  static constexpr int stride_width  = static_cast<int>(Config::stride.width);
  static constexpr int columns       = Config::columns_per_thread;
  static constexpr int live          = (filter_height + stride_height - 1) / stride_height;
  static constexpr int reach =
    window_reach(columns, stride_width, filter_width);  ///< Input columns.

  /// Loads the filter, and finds which of the thread's input columns are on the image.
  __device__ window_engine(T const* filter, int first_input_column, int input_width)
  {
#pragma unroll
    for (int t = 0; t < filter_height * filter_width; ++t) {
      filter_[t] = to_sum(load_read_only(filter + t));
    }
#pragma unroll
    for (int c = 0; c < reach; ++c) {
      int const column = first_input_column + c;
      on_image_[c]     = column >= 0 && column < input_width ? ~0u : 0u;
    }
#pragma unroll
    for (int s = 0; s < live; ++s) { clear(s); }
  }

  /// Walks down `rows` output rows. `staged` is where input row `input_row` would lie at the
  /// thread's first column; only rows 0 to input_height - 1 are read.
  template <typename Retire>
  __device__ void walk(T const* staged, int pitch, int input_row, int input_height, int rows,
                       Retire&& retire)
  {
    int const steps = rows + live - 1;
    int const end   = min(input_height, input_row + (rows - 1) * stride_height + filter_height);
    for (int step = 0; step < steps; step += live) {
      int const next   = input_row + live * stride_height;
      bool const inner = step >= live - 1 && step + live <= steps && input_row >= 0 && next <= end;
      if (inner) {
        turn<false>(staged, pitch, input_row, end, step, steps, retire);
      } else {
        turn<true>(staged, pitch, input_row, end, step, steps, retire);
      }
      staged += live * stride_height * pitch;
      input_row = next;
    }
  }

 private:
  /// `live` steps, after which every row of sums has the role it began with. Checked: near the ends
  /// of the walk or of the image, where a step may have no input row, no output row, or not be
  /// there at all.
  template <bool Checked, typename Retire>
  __device__ void turn(T const* staged, int pitch, int input_row, int end, int step, int steps,
                       Retire& retire)
  {
#pragma unroll
    for (int u = 0; u < live; ++u) {
      if (Checked && step + u >= steps) { break; }
#pragma unroll
      for (int j = 0; j < stride_height; ++j) {
        int const row = input_row + u * stride_height + j;
        if (!Checked || (row >= 0 && row < end)) {
          accumulate<Checked>(staged + (u * stride_height + j) * pitch, u, j, step,
                              steps - (live - 1));
        }
      }
      int const finished = (u + 1) % live;
      if (!Checked || step + u >= live - 1) { retire(sums_[finished]); }
      clear(finished);
    }
  }

  /// Adds one input row, the `j`-th of its step, to every row of sums it touches that is one of the
  /// walk's `rows`.
  template <bool Checked>
  __device__ void accumulate(T const* row, int u, int j, int step, int rows)
  {
    sum x[reach];
#pragma unroll
    for (int c = 0; c < reach; ++c) { x[c] = to_sum(keep_bits(row[c], on_image_[c])); }
#pragma unroll
    for (int q = 0; q < live; ++q) {
      int const output = step + u - q;
      if (q * stride_height + j < filter_height && (!Checked || (output >= 0 && output < rows))) {
#pragma unroll
        for (int t = 0; t < filter_width; ++t) {
#pragma unroll
          for (int v = 0; v < columns; ++v) {
            sums_[(u - q + live) % live][v] +=
              x[v * stride_width + t] * filter_[(q * stride_height + j) * filter_width + t];
          }
        }
      }
    }
  }

  __device__ void clear(int s)
  {
#pragma unroll
    for (int v = 0; v < columns; ++v) { sums_[s][v] = sum(0); }
  }

  sum filter_[filter_height * filter_width];
  unsigned on_image_[reach];
  sum sums_[live][columns];
};

DWCONV_ABI_NAMESPACE_END
