// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// What a tile needs of the problem to be found: extents as 32-bit numbers.
struct tile_frame {
  int input_height;
  int input_width;
  int output_height;
  int output_width;
  int filter_height;  ///< Span of the filter, dilation included.
  int filter_width;
  int stride_height;
  int stride_width;
  int pad_top;
  int pad_left;
  int live;  ///< Output rows that an input row can reach.
  int multiplier;
  fast_divisor<std::int32_t> plane_of_x;  ///< Takes a plane of y to the plane of x under it.

  tile_frame() = default;
  explicit constexpr tile_frame(conv2d_problem const& p) noexcept
    : input_height{static_cast<int>(p.input.height)},
      input_width{static_cast<int>(p.input.width)},
      output_height{static_cast<int>(output_extent(p).height)},
      output_width{static_cast<int>(output_extent(p).width)},
      filter_height{static_cast<int>(filter_span(p).height)},
      filter_width{static_cast<int>(filter_span(p).width)},
      stride_height{static_cast<int>(p.stride.height)},
      stride_width{static_cast<int>(p.stride.width)},
      pad_top{static_cast<int>(p.pad.top)},
      pad_left{static_cast<int>(p.pad.left)},
      live{static_cast<int>(geometry::live_rows(p))},
      multiplier{static_cast<int>(p.multiplier)},
      plane_of_x{static_cast<std::int32_t>(p.multiplier)}
  {}
};

/// A part of a tile that is in shared memory at a time: the rows of x that some steps of the walk
/// take, as far as they are on the image, and the rows of y that are finished by them.
struct tile_chunk {
  int first_step;  ///< Of the tile's walk.
  int end_step;
  int input_row;
  int input_rows;
  int output_row;  ///< Of the plane.
  int output_rows;
};

/// Chunks of a tile that have as many rows as a chunk can: of x those from `input_begin` to
/// `input_end` - 1, of y likewise.
struct full_chunks {
  int input_begin;
  int input_end;
  int output_begin;
  int output_end;
};

/// One tile: its outputs, and the part of x under them.
struct tile_position {
  std::int32_t plane;  ///< First plane of y.
  int planes;
  std::int32_t input_plane;  ///< First plane of x.
  int input_planes;
  int row;  ///< First output row.
  int rows;
  int column;  ///< First output column.
  int columns;
  int input_column;  ///< First staged column of x.
  int input_columns;

  /// Tile number `index`: along a row first, then down a plane, then from plane to plane, as memory
  /// goes.
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr tile_position of(tile_geometry const& g,
                                                                     tile_frame const& f,
                                                                     std::int32_t index) noexcept
  {
    std::int32_t const down  = g.windows.quotient(index);
    std::int32_t const group = g.strips.quotient(down);
    tile_position t{};
    t.plane        = group * g.tile.planes;
    t.planes       = at_most(g.tile.planes, static_cast<int>(g.planes) - t.plane);
    t.input_plane  = f.plane_of_x.quotient(t.plane);
    t.input_planes = f.plane_of_x.quotient(t.plane + t.planes - 1) - t.input_plane + 1;
    t.row          = (down - group * g.strips.divisor()) * g.tile.rows;
    t.rows         = at_most(g.tile.rows, f.output_height - t.row);
    t.column       = (index - down * g.windows.divisor()) * g.tile.columns;
    t.columns      = at_most(g.tile.columns, f.output_width - t.column);

    int const left   = t.column * f.stride_width - f.pad_left;
    int const right  = left + (t.columns - 1) * f.stride_width + f.filter_width;
    t.input_column   = g.whole_rows || left < 0 ? 0 : left;
    t.input_columns  = g.whole_rows ? f.input_width : at_most(right, f.input_width) - t.input_column;
    return t;
  }

  /// The row of x, perhaps above the image, that the walk down the tile begins with.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int top(tile_frame const& f) const noexcept
  {
    return row * f.stride_height - f.pad_top;
  }

  /// The row of x, at most the image's end, that the walk ends before.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int bottom(tile_frame const& f) const noexcept
  {
    return at_most(top(f) + (rows - 1) * f.stride_height + f.filter_height, f.input_height);
  }

  /// Chunk number `index` of the tile; of no rows, of x or of y, where there are none.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr tile_chunk chunk(tile_geometry const& g,
                                                              tile_frame const& f,
                                                              int index) const noexcept
  {
    int const ramp = f.live - 1;  // steps before the first row is finished
    tile_chunk c{};
    c.first_step     = index * g.tile.steps;
    c.end_step       = at_most(c.first_step + g.tile.steps, rows + ramp);
    int const from   = top(f) + c.first_step * f.stride_height;
    int const to     = at_most(from + g.tile.steps * f.stride_height, bottom(f));
    c.input_row      = from > 0 ? from : 0;
    c.input_rows     = to > c.input_row ? to - c.input_row : 0;
    int const before = c.first_step > ramp ? c.first_step - ramp : 0;  // rows finished earlier
    int const after  = c.end_step > ramp ? c.end_step - ramp : 0;
    c.output_row     = row + before;
    c.output_rows    = after > before ? after - before : 0;
    return c;
  }

  /// Of its chunks, those with all their rows; the last one that brings rows of x is not counted.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr full_chunks full(tile_geometry const& g,
                                                              tile_frame const& f) const noexcept
  {
    int const ramp   = f.live - 1;
    int const height = g.tile.steps * f.stride_height;
    full_chunks c{};
    c.input_begin  = top(f) < 0 ? (-top(f) + height - 1) / height : 0;
    c.input_end    = bottom(f) > top(f) ? (bottom(f) - 1 - top(f)) / height : 0;
    c.output_begin = (ramp + g.tile.steps - 1) / g.tile.steps;
    c.output_end   = (rows + ramp) / g.tile.steps;
    return c;
  }

 private:
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int at_most(int limit, int value) noexcept
  {
    return value < limit ? value : limit;
  }
};

}  // namespace dwconv
