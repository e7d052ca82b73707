// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/toeplitz/tile.hpp>

namespace dwconv {

/// Most output rows of a slot that a warpgroup computes at a time.
inline constexpr int toeplitz_group_rows = 28;

/// Slots of a matrix product of a warpgroup.
inline constexpr int toeplitz_group_slots = 64;

/// Rows of x that are staged, and multiplied, together.
inline constexpr int toeplitz_group_stage = 4;

/// Such stages in shared memory: one is multiplied while another is on its way.
inline constexpr int toeplitz_group_stages = 2;

/// The fewest rows of filters that are multiplied by warpgroups: below, too few of a product's rows
/// of sums meet a row of x.
inline constexpr int toeplitz_group_fewest_rows = 12;

/// Rows of sums, from the first on, that a product may take: the fewest that hold those needed.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr int toeplitz_group_taken(int needed) noexcept
{
  return needed <= 8 ? 8 : needed <= 14 ? 14 : needed <= 20 ? 20 : toeplitz_group_rows;
}

/// The rows of x that the rows of a tile meet. Step s of a tile is row s - pad_top of x, counted
/// from the tile's first output row; it meets output row o with row s - o of the filter.
struct toeplitz_group_steps {
  int first;
  int end;
  bool upwards;  ///< Sums are in the order of output rows from the last to the first.

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr toeplitz_group_steps of(
    int row, int rows, int runs, int pad_top, int filter_height, int input_height) noexcept
  {
    int const last_run = row + (runs - 1) * rows;
    toeplitz_group_steps s{};
    int const all       = rows - 1 + filter_height;
    int const cut_above = pad_top - last_run, cut_below = row - pad_top + all - input_height;
    s.first = cut_above > 0 ? cut_above : 0;
    s.end   = cut_below > 0 ? all - cut_below : all;
    // Few rows are needed where the filter only begins to reach them, or ends to: a product can
    // leave out the last ones. At the image's upper edge its rows begin in the middle.
    s.upwards = cut_above > cut_below && cut_above > 0;
    return s;
  }

  /// Rows of sums, from the first on, that a stage beginning at `step` meets.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int needed(int step, int rows,
                                                        int filter_height) const noexcept
  {
    int const before = upwards ? step - filter_height + 1 : -step - toeplitz_group_stage;
    int const count  = upwards ? rows - before : -before;
    return count < rows ? count : rows;
  }

  /// Where the filter row begins that the first row of sums meets, among those extended.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int filter_row(int step, int rows,
                                                            int filter_height) const noexcept
  {
    return upwards ? step - (rows - 1) : filter_height - 1 - step;
  }
};

/// The units of windows that meet the image in some of a tile's blocks.
struct toeplitz_group_window {
  int first;
  int count;

  /// @param begin  Unit of a row of x that the first block's window begins with.
  /// @param blocks Of the tile.
  /// @param window Units of a window,
  /// @param units  and of a row of x.
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr toeplitz_group_window of(int begin, int blocks,
                                                                             int window,
                                                                             int units) noexcept
  {
    int const before = 1 - begin - blocks, after = units - begin;
    toeplitz_group_window w{};
    w.first = before > 0 ? before : 0;
    w.count = (after < window ? after : window) - w.first;
    if (w.count < 0) { w.first = w.count = 0; }
    return w;
  }
};

/// How the tiles of a warpgroup lie in shared memory.
///
/// Slots are blocks of 8 columns of several images, or of runs of rows below each other: slot
/// `images * b + i` is block b of image i. A unit is 8 columns of a row of x, 16 bytes; a window
/// begins at a unit, and those of neighbouring blocks overlap: a row of x is staged unit by unit,
/// each of all images together, so that the units of all slots, from one on, are a matrix.
///
/// Sizes and pitches are in units.
struct toeplitz_group {
  toeplitz_tile tile;
  int runs;         ///< Of rows below each other; they count as images.
  int rows;         ///< Output rows of each.
  int before;       ///< Units before the one under a block that the block's windows begin in.
  int lead;         ///< Columns of the first unit that lie before the first tap.
  int window;       ///< Units of a window,
  int kept;         ///< and those multiplied, in pairs.
  int eight_pitch;  ///< From 8 images to the next 8.
  int unit_pitch;   ///< From a unit of all images to the next.
  int row_pitch;
  int staged;       ///< All stages.
  int zero_rows;    ///< Of the extended filter, before the first row,
  int filter_rows;  ///< and all.
  int filter_size;
  int raw_pitch;  ///< Elements of a row of the filter with zeros on both sides.
  int raw_size;
  int y_pitch;  ///< Elements of y of an image in shared memory.
  int y_size;

  static constexpr int unit = 8;  ///< Elements.

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int images() const noexcept
  {
    return tile.images * runs;
  }
  [[nodiscard]] constexpr int blocks() const noexcept
  {
    return static_cast<int>(geometry::divide_up(tile.columns, unit));
  }

  [[nodiscard]] static constexpr toeplitz_group of(conv2d_problem const& p,
                                                   toeplitz_tile tile) noexcept
  {
    toeplitz_group g{};
    g.tile   = tile;
    g.runs   = static_cast<int>(geometry::divide_up(tile.rows, toeplitz_group_rows));
    g.rows   = static_cast<int>(geometry::divide_up(tile.rows, g.runs));
    g.before = static_cast<int>(geometry::divide_up(p.pad.left, unit));
    g.lead   = unit * g.before - static_cast<int>(p.pad.left);
    g.window = window_of(p);

    int const images = g.images();
    // An odd number of units: neighbouring units of an image meet different banks.
    g.eight_pitch = images >= 8 ? unit + 1 : unit;
    g.unit_pitch  = images < 8 ? images : images / 8 * g.eight_pitch;
    g.row_pitch   = g.unit_pitch * (g.blocks() + (g.window + 1) / 2 * 2 - 1);
    // What slots behind the last read, is behind the last row.
    g.staged = g.row_pitch * toeplitz_group_stage * toeplitz_group_stages +
               toeplitz_group_slots / 8 * g.eight_pitch;
    g.extend(p);
    g.kept           = g.kept_of(p);
    g.filter_size    = g.filter_rows * g.kept * unit;
    g.raw_pitch      = unit * (g.window + 2);
    g.raw_size       = static_cast<int>(p.filter.height) * g.raw_pitch / unit + 1;
    bool const whole = tile.columns >= output_extent(p).width;
    g.y_pitch        = (whole ? static_cast<int>(output_extent(p).width) : tile.columns) * g.rows;
    g.y_pitch        = static_cast<int>(geometry::round_up(g.y_pitch, unit)) + unit;
    g.y_size         = images * g.y_pitch / unit;
    return g;
  }

  /// Units that a window takes in.
  [[nodiscard]] static constexpr int window_of(conv2d_problem const& p) noexcept
  {
    std::int64_t const lead = geometry::divide_up(p.pad.left, unit) * unit - p.pad.left;
    return static_cast<int>(geometry::divide_up(lead + toeplitz_block - 1 + p.filter.width, unit));
  }

  [[nodiscard]] constexpr int shared_bytes() const noexcept
  {
    return std::max(filter_size + staged + raw_size, y_size) * unit * toeplitz_element_bytes;
  }

 private:
  /// Units of windows up to the last pair's end, where tiles leave out what meets only padding.
  [[nodiscard]] constexpr int kept_of(conv2d_problem const& p) const noexcept
  {
    int const width = static_cast<int>(output_extent(p).width);
    int const units = static_cast<int>(geometry::divide_up(p.input.width, unit));
    int most        = 0;
    for (int column = 0; column < width; column += tile.columns) {
      int const count = std::min(tile.columns, width - column);
      auto const part =
        toeplitz_group_window::of(column / unit - before, (count + unit - 1) / unit, window, units);
      most = std::max(most, part.first + (part.count + 1) / 2 * 2);
    }
    return most;
  }

  /// Zero rows around the filter as far as products of any tile reach over its ends.
  constexpr void extend(conv2d_problem const& p) noexcept
  {
    int const height = static_cast<int>(p.filter.height),
              out    = static_cast<int>(output_extent(p).height);
    int lowest = 0, highest = height - 1;
    auto const look = [&](int row) {
      auto const steps = toeplitz_group_steps::of(row, rows, runs, static_cast<int>(p.pad.top),
                                                  height, static_cast<int>(p.input.height));
      for (int s = steps.first; s < steps.end; s += toeplitz_group_stage) {
        int const last  = s + toeplitz_group_stage - 1;
        int const taken = toeplitz_group_taken(steps.needed(s, rows, height));
        int const one   = steps.filter_row(s, rows, height),
                  two   = steps.filter_row(last, rows, height);
        lowest          = std::min({lowest, one, two});
        highest         = std::max({highest, one + taken - 1, two + taken - 1});
      }
    };
    // Tiles in the middle, out of reach of the edges, are alike.
    int const strips = static_cast<int>(geometry::divide_up(out, tile.rows));
    int const edge   = static_cast<int>(geometry::divide_up(height, tile.rows)) + 2;
    for (int i = 0; i < strips; i = i == edge ? std::max(i + 1, strips - edge) : i + 1) {
      look(i * tile.rows);
    }
    zero_rows   = -lowest;
    filter_rows = highest - lowest + 1;
  }
};

}  // namespace dwconv
