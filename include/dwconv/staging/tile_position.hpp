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
  int multiplier;

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
      multiplier{static_cast<int>(p.multiplier)}
  {}
};

/// One tile: its outputs, and the part of x under them that is on the image.
struct tile_position {
  std::int64_t plane;  ///< First input plane.
  int planes;
  int row;  ///< First output row.
  int rows;
  int column;  ///< First output column.
  int columns;
  int input_row;  ///< First staged row of x.
  int input_rows;
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
    t.plane   = static_cast<std::int64_t>(group) * g.tile.planes;
    t.planes  = at_most(g.tile.planes, g.planes - t.plane);
    t.row     = (down - group * g.strips.divisor()) * g.tile.rows;
    t.rows    = at_most(g.tile.rows, f.output_height - t.row);
    t.column  = (index - down * g.windows.divisor()) * g.tile.columns;
    t.columns = at_most(g.tile.columns, f.output_width - t.column);

    int const top    = t.row * f.stride_height - f.pad_top;
    int const left   = t.column * f.stride_width - f.pad_left;
    int const bottom = top + (t.rows - 1) * f.stride_height + f.filter_height;
    int const right  = left + (t.columns - 1) * f.stride_width + f.filter_width;
    t.input_row      = top > 0 ? top : 0;
    t.input_rows     = at_most(bottom, f.input_height) - t.input_row;
    t.input_column   = g.whole_rows || left < 0 ? 0 : left;
    t.input_columns = g.whole_rows ? f.input_width : at_most(right, f.input_width) - t.input_column;
    return t;
  }

 private:
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int at_most(int limit,
                                                                std::int64_t value) noexcept
  {
    return value < limit ? static_cast<int>(value) : limit;
  }
};

}  // namespace dwconv
