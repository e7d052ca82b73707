// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/toeplitz/group.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_position.hpp>

namespace dwconv {

/// Everything the kernel of warpgroups is told, by value.
template <typename T>
struct toeplitz_group_params {
  using divisor = fast_divisor<std::int32_t>;

  T const* x;
  T const* filter;
  T* y;
  toeplitz_group group;
  tile_frame frame;
  int batch;
  int channels;        ///< Of y,
  int input_channels;  ///< and of x.
  divisor windows;     ///< Tiles along a row,
  divisor strips;      ///< down a plane,
  divisor gathers;     ///< and over the images.
  divisor images;      ///< Images of a tile.
  int unit;            ///< Elements that rows of x are staged by: 8, 4, 2 or 1.
  divisor parts;       ///< Such units of a staged row, at most.
  bool whole;          ///< Tiles have whole rows of y, which are written as one run.
  int run_unit;        ///< Elements that runs of y are written by.
  divisor run_parts;   ///< Such units of a run, at most,
  divisor run_lines;   ///< and runs of an image.
  bool turned;         ///< The filter, by 180 degrees.

  toeplitz_group_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        toeplitz_tile tile, bool turned_ = false)
    : x{tensors.x},
      filter{tensors.filter},
      y{tensors.y},
      group{toeplitz_group::of(p, tile)},
      frame{p},
      batch{static_cast<int>(p.batch)},
      channels{static_cast<int>(p.output_channels())},
      input_channels{static_cast<int>(p.channels)},
      windows{parts_of(output_extent(p).width, tile.columns)},
      strips{parts_of(output_extent(p).height, tile.rows)},
      gathers{parts_of(p.batch, tile.images)},
      images{static_cast<std::int32_t>(tile.images)},
      unit{unit_of(tensors.x, p.input.width)},
      whole{tile.columns >= output_extent(p).width},
      turned{turned_}
  {
    std::int64_t const out_width = output_extent(p).width, out_height = output_extent(p).height;
    std::int64_t const staged = std::min<std::int64_t>(
      p.input.width, toeplitz_group::unit * (group.row_pitch / group.unit_pitch));
    parts = divisor{parts_of(staged, unit)};
    // Where planes, strips and runs begin.
    std::int64_t const begins = (out_height * out_width) |
                                (tile.rows < out_height ? tile.rows * out_width : 0) |
                                (group.rows < out_height ? group.rows * out_width : 0);
    run_unit               = unit_of(tensors.y, whole ? begins : out_width);
    std::int64_t const run = whole ? group.rows * out_width : tile.columns;
    run_parts              = divisor{parts_of(run, run_unit)};
    run_lines              = divisor{whole ? 1 : group.rows};
  }

 private:
  [[nodiscard]] static constexpr std::int32_t parts_of(std::int64_t all, std::int64_t part) noexcept
  {
    return static_cast<std::int32_t>(geometry::divide_up(all, part));
  }

  /// Elements, up to 8, of which all rows have a multiple and begin at one.
  [[nodiscard]] static int unit_of(T const* address, std::int64_t width) noexcept
  {
    auto const bits = reinterpret_cast<std::uintptr_t>(address) / sizeof(T) |
                      static_cast<std::uintptr_t>(width) | 8u;
    return static_cast<int>(bits & (~bits + 1));
  }
};

/// One tile of a warpgroup: its outputs, and the windows and rows of x that they meet.
struct toeplitz_group_position {
  int image;
  int images;
  int channel;  ///< Of y.
  int row;      ///< First output row.
  int rows;     ///< Of all runs.
  int column;   ///< First output column.
  int columns;
  int blocks;
  toeplitz_group_steps steps;
  int first_unit;    ///< Of each window, that meets the image in some slot.
  int units;         ///< From it on.
  int origin;        ///< The first window's first such unit, as a unit of a row of x.
  int input_column;  ///< First staged column of x.
  int input_columns;

  template <typename T>
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr toeplitz_group_position of(
    toeplitz_group_params<T> const& p, std::int32_t index) noexcept
  {
    auto const& g             = p.group;
    auto const& f             = p.frame;
    std::int32_t const strip  = p.windows.quotient(index);
    std::int32_t const gather = p.strips.quotient(strip);
    toeplitz_group_position t{};
    t.channel = p.gathers.quotient(gather);
    t.image   = (gather - t.channel * p.gathers.divisor()) * g.tile.images;
    t.images  = least(g.tile.images, p.batch - t.image);
    t.row     = (strip - gather * p.strips.divisor()) * g.tile.rows;
    t.rows    = least(g.tile.rows, f.output_height - t.row);
    t.column  = (index - strip * p.windows.divisor()) * g.tile.columns;
    t.columns = least(g.tile.columns, f.output_width - t.column);
    t.blocks  = (t.columns + toeplitz_block - 1) / toeplitz_block;
    t.steps =
      toeplitz_group_steps::of(t.row, g.rows, g.runs, f.pad_top, f.filter_height, f.input_height);
    int const first_block = t.column / toeplitz_block - g.before;
    int const row_units   = (f.input_width + toeplitz_group::unit - 1) / toeplitz_group::unit;
    auto const window     = toeplitz_group_window::of(first_block, t.blocks, g.window, row_units);
    t.first_unit          = window.first;
    t.units               = window.count;
    t.origin              = first_block + t.first_unit;
    int const from        = most(0, t.origin) * toeplitz_group::unit;
    int const to    = least(row_units, t.origin + t.blocks - 1 + t.units) * toeplitz_group::unit;
    t.input_column  = from;
    t.input_columns = most(0, least(to, f.input_width) - from);
    return t;
  }

 private:
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int least(int a, int b) noexcept
  {
    return a < b ? a : b;
  }
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int most(int a, int b) noexcept
  {
    return a > b ? a : b;
  }
};

}  // namespace dwconv
