// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_position.hpp>

namespace dwconv {

/// How the tiles of a launch, and the work of each, are counted.
struct toeplitz_grid {
  using divisor = fast_divisor<std::int32_t>;

  int batch;
  int channels;
  divisor windows;   ///< Tiles along a row,
  divisor strips;    ///< down a plane,
  divisor groups;    ///< and along the channels of an image.
  divisor blocks;    ///< Blocks of 8 columns along a tile's row.
  divisor images;    ///< Images of a tile.
  divisor matrices;  ///< Matrix products (of 16 slots) that cover an output channel of a tile.
  divisor multiplier;
  divisor step;    ///< Output rows from one of a walk to the next.
  divisor phases;  ///< Phases of a class.
  int classes;     ///< Of phases, each with matrix products of its own.
  int slots;       ///< Of a class of an output channel of a tile.
  int items;       ///< Matrix products of a tile: what one warp computes at a time.

  toeplitz_grid() = default;
  constexpr toeplitz_grid(conv2d_problem const& p, toeplitz_tile tile, int walk,
                          bool along = false) noexcept
    : batch{static_cast<int>(p.batch)},
      channels{static_cast<int>(p.channels)},
      windows{parts(output_extent(p).width, tile.columns)},
      strips{parts(output_extent(p).height, tile.rows)},
      groups{parts(p.channels, tile.channels)},
      blocks{along ? toeplitz_slots
                   : static_cast<std::int32_t>(toeplitz_row_blocks(p, tile.columns))},
      images{static_cast<std::int32_t>(tile.images)},
      multiplier{static_cast<std::int32_t>(p.multiplier)}
  {
    auto const down = toeplitz_phases::of(p);
    step            = divisor{down.step};
    phases          = divisor{down.of_class()};
    classes         = down.classes;
    slots           = blocks.divisor() * images.divisor() *
            (along ? parts(tile.columns, walk * toeplitz_stretch)
                   : static_cast<std::int32_t>(down.walks(tile.rows, walk)));
    matrices = divisor{parts(slots, toeplitz_slots) * classes};
    items    = matrices.divisor() * tile.channels * multiplier.divisor();
  }

  /// Of stacks: slots are images and runs of rows, and an item is some blocks of 16 of them.
  [[nodiscard]] static constexpr toeplitz_grid of_stack(conv2d_problem const& p,
                                                        toeplitz_tile tile) noexcept
  {
    toeplitz_grid n{p, tile, toeplitz_stack_rows};
    n.slots    = tile.images * parts(tile.rows, toeplitz_stack_rows);
    n.matrices = divisor{parts(n.slots, toeplitz_slots)};
    n.blocks   = divisor{parts(tile.columns, toeplitz_stack_blocks * toeplitz_block)};
    n.items    = n.matrices.divisor() * tile.channels * n.multiplier.divisor() * n.blocks.divisor();
    return n;
  }

 private:
  [[nodiscard]] static constexpr std::int32_t parts(std::int64_t whole, std::int64_t part) noexcept
  {
    return static_cast<std::int32_t>(geometry::divide_up(whole, part));
  }
};

/// One tile: its outputs, and the part of x under them that is on the image.
struct toeplitz_position {
  int image;
  int images;
  int channel;  ///< First input channel.
  int channels;
  int row;  ///< First output row.
  int rows;
  int column;  ///< First output column.
  int columns;
  int input_row;  ///< First staged row of x.
  int input_rows;
  int input_column;  ///< First staged column of x.
  int input_columns;

  /// Tile number `index`: along a row first, then down a plane, along the channels, over the
  /// images.
  ///
  /// @tparam Layout toeplitz_layout or toeplitz_stack.
  template <typename Layout>
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr toeplitz_position of(
    Layout const& g, toeplitz_grid const& n, tile_frame const& f, std::int32_t index) noexcept
  {
    std::int32_t const down  = n.windows.quotient(index);
    std::int32_t const group = n.strips.quotient(down);
    std::int32_t const batch = n.groups.quotient(group);
    toeplitz_position t{};
    t.image    = batch * g.tile.images;
    t.images   = at_most(g.tile.images, n.batch - t.image);
    t.channel  = (group - batch * n.groups.divisor()) * g.tile.channels;
    t.channels = at_most(g.tile.channels, n.channels - t.channel);
    t.row      = (down - group * n.strips.divisor()) * g.tile.rows;
    t.rows     = at_most(g.tile.rows, f.output_height - t.row);
    t.column   = (index - down * n.windows.divisor()) * g.tile.columns;
    t.columns  = at_most(g.tile.columns, f.output_width - t.column);
    stage(t, g, f);
    return t;
  }

 private:
  /// Of a stack: whole halves, from a multiple of 8 on.
  static DWCONV_HOST_DEVICE constexpr void stage(toeplitz_position& t, toeplitz_stack const& s,
                                                 tile_frame const& f) noexcept
  {
    int const top    = t.row - f.pad_top;
    int const bottom = top + t.rows - 1 + f.filter_height;
    int const left   = t.column - s.before * toeplitz_stack::half;
    t.input_row      = top < 0 ? 0 : top;
    t.input_rows     = at_most(bottom, f.input_height) - t.input_row;
    t.input_column   = left < 0 ? 0 : left;
    t.input_columns  = at_most(s.halves * toeplitz_stack::half, f.input_width - t.input_column);
    if (t.input_rows < 0) { t.input_row = t.input_rows = 0; }
    if (t.input_columns < 0) { t.input_column = t.input_columns = 0; }
  }

  static DWCONV_HOST_DEVICE constexpr void stage(toeplitz_position& t, toeplitz_layout const& g,
                                                 tile_frame const& f) noexcept
  {
    int const top    = t.row * f.stride_height - f.pad_top;
    int const left   = t.column * f.stride_width - f.pad_left;
    int const bottom = top + (t.rows - 1) * f.stride_height + f.filter_height;
    int const right  = left + (t.columns - 1) * f.stride_width + f.filter_width;
    t.input_row      = g.whole_planes || top < 0 ? 0 : top;
    t.input_rows = g.whole_planes ? f.input_height : at_most(bottom, f.input_height) - t.input_row;
    t.input_column  = g.whole_rows || left < 0 ? 0 : left;
    t.input_columns = g.whole_rows ? f.input_width : at_most(right, f.input_width) - t.input_column;
    // A tile whose outputs see only padding stages nothing.
    if (t.input_rows < 0) { t.input_row = t.input_rows = 0; }
    if (t.input_columns < 0) {
      t.input_column = t.input_columns = 0;
      t.input_row = t.input_rows = 0;  // Nor is it looked at: windows there begin far from any row.
    }
  }

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int at_most(int limit, int value) noexcept
  {
    return value < limit ? value : limit;
  }
};

/// Everything the kernel of stacks is told, by value.
template <typename T>
struct toeplitz_stack_params {
  using divisor = fast_divisor<std::int32_t>;

  T const* x;
  T const* filter;
  T* y;
  toeplitz_stack stack;
  toeplitz_grid grid;
  tile_frame frame;
  int unit;          ///< Elements that rows of x are staged by: 8, 4, 2 or 1.
  divisor rows;      ///< Staged of a plane,
  divisor channels;  ///< and of an image.
  bool pairs;        ///< Rows of y begin at even addresses.
  bool turned;       ///< The filter, by 180 degrees.

  toeplitz_stack_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        toeplitz_policy const& policy, bool turned_ = false)
    : x{tensors.x},
      filter{tensors.filter},
      y{tensors.y},
      stack{toeplitz_stack::of(p, policy.tile)},
      grid{toeplitz_grid::of_stack(p, policy.tile)},
      frame{p},
      unit{unit_of(tensors.x, p.input.width)},
      rows{stack.rows},
      channels{policy.tile.channels},
      pairs{unit_of(tensors.y, output_extent(p).width) > 1},
      turned{turned_}
  {}

 private:
  /// Elements, up to 8, of which all rows have a multiple and begin at one.
  [[nodiscard]] static int unit_of(T const* address, std::int64_t width) noexcept
  {
    auto const bits = reinterpret_cast<std::uintptr_t>(address) / sizeof(T) |
                      static_cast<std::uintptr_t>(width) | 8u;
    return static_cast<int>(bits & (~bits + 1));
  }
};

/// Everything the toeplitz kernel is told, by value.
template <typename T>
struct toeplitz_params {
  T const* x;
  T const* filter;
  T* y;
  toeplitz_layout layout;
  toeplitz_grid grid;
  tile_frame frame;
  toeplitz_rows_begin begin;
  int taps;                      ///< Of a filter row,
  toeplitz_grid::divisor apart;  ///< and columns from one of them to the next.
  int walk;      ///< Output rows of a slot, or steps where walks go along a plane's only row.
  int lead;      ///< Columns by which windows begin before the first tap.
  bool along;    ///< Walks go along a plane's only row.
  bool turned;   ///< The filter, by 180 degrees.
  bool passing;  ///< What is read does not take the place of what others left in L2.

  toeplitz_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                  toeplitz_policy const& policy, bool turned_ = false)
    : x{tensors.x},
      filter{tensors.filter},
      y{tensors.y},
      layout{toeplitz_layout::of(p, policy.tile, begin_of(p, tensors))},
      grid{p, policy.tile, walk_of(p, tensors, policy), policy.along},
      frame{p},
      begin{begin_of(p, tensors)},
      taps{static_cast<int>(p.filter.width)},
      apart{static_cast<std::int32_t>(p.filter.width > 1 ? p.dilation.width : 1)},
      walk{walk_of(p, tensors, policy)},
      lead{toeplitz_lead(p, begin)},
      along{policy.along},
      turned{turned_},
      passing{policy.passing}
  {}

  [[nodiscard]] static toeplitz_rows_begin begin_of(conv2d_problem const& p,
                                                    forward_tensors<T> const& tensors) noexcept
  {
    auto const aligned = toeplitz_begin(p);
    bool const even    = aligned == toeplitz_rows_begin::even;
    return even && (is_odd(tensors.x) || is_odd(tensors.y)) ? toeplitz_rows_begin::any : aligned;
  }

  /// Kernels that do not hold the filter have as many rows of sums as a walk may be long; odd
  /// addresses may lead to one of them where the plan, which does not know them, holds it.
  [[nodiscard]] static int walk_of(conv2d_problem const& p, forward_tensors<T> const& tensors,
                                   toeplitz_policy const& policy) noexcept
  {
    return toeplitz_holds_filter(p, begin_of(p, tensors)) ? policy.walk
                                                          : std::min(policy.walk, toeplitz_sums);
  }

 private:
  [[nodiscard]] static bool is_odd(T const* address) noexcept
  {
    return reinterpret_cast<std::uintptr_t>(address) % (2 * sizeof(T)) != 0;
  }
};

}  // namespace dwconv
