// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/toeplitz/gradient_policy.hpp>

namespace dwconv {

/// One tensor of planes, and where its rows are staged.
template <typename T>
struct gradient_tensor {
  T const* data;
  std::int64_t elements;
  int height;
  int width;
  int channels;
  int blocks;      ///< Of a row of the plane.
  int area_begin;  ///< Bytes from a chunk's area to this tensor's.
  gradient_area area;
  fast_divisor<std::int32_t> row_pieces;    ///< Pieces of a laid-out row,
  fast_divisor<std::int32_t> image_pieces;  ///< and of an image's rows of a chunk.
};

/// Everything the toeplitz kernel of backward_filter is told, by value.
template <typename T>
struct toeplitz_gradient_params {
  using divisor = fast_divisor<std::int32_t>;

  gradient_tensor<T> x;
  gradient_tensor<T> dy;
  float* partial;  ///< Of each split, a gradient of the filter.
  toeplitz_gradient_policy policy;
  std::int64_t area_bytes;
  std::int64_t warp_bytes;
  divisor multiplier;
  divisor row_groups;     ///< Of taps, each a warp's,
  divisor column_groups;  ///< of a filter.
  divisor tap_columns;
  divisor block_columns;  ///< Blocks of a unit's row.
  divisor windows;        ///< Units along a row,
  divisor strips;         ///< down a plane,
  int units;              ///< and in all, of one channel.
  int items;              ///< Groups of taps, of all filters.
  divisor neighbours;     ///< Splits or items, whichever neighbouring warps have.
  int batch;
  int filter_height;
  int filter_width;
  int pad_top;
  int pad_left;
  bool aligned;  ///< Every row begins at a multiple of 16 bytes.

  toeplitz_gradient_params(conv2d_problem const& p, T const* x_, T const* dy_, float* partial_,
                           toeplitz_gradient_policy const& policy_)
    : partial{partial_}, policy{policy_}, multiplier{of(p.multiplier)}
  {
    extent2 const out = output_extent(p);
    gradient_layout const layout{p, policy};
    x  = tensor(x_, p.batch, p.channels, p.input, layout.x);
    dy = tensor(dy_, p.batch, p.output_channels(), out, layout.dy);
    dy.area_begin = layout.x.pieces * copy_bytes;
    area_bytes    = layout.area_bytes;
    warp_bytes    = layout.warp_bytes;
    row_groups    = parts(p.filter.height, policy.tap_rows);
    column_groups = parts(p.filter.width, policy.tap_columns);
    tap_columns   = of(policy.tap_columns);
    block_columns = of(policy.blocks);
    windows       = parts(dy.blocks, policy.blocks);
    strips        = parts(out.height, policy.strip);
    units         = static_cast<int>(geometry::divide_up(p.batch, policy.images) *
                             windows.divisor() * strips.divisor());
    items         = static_cast<int>(p.output_channels() * row_groups.divisor() *
                             column_groups.divisor());
    neighbours    = of(policy.side_by_side ? policy.splits : items);
    batch         = static_cast<int>(p.batch);
    filter_height = static_cast<int>(p.filter.height);
    filter_width  = static_cast<int>(p.filter.width);
    pad_top       = static_cast<int>(p.pad.top);
    pad_left      = static_cast<int>(p.pad.left);
    aligned       = in_pieces(x) && in_pieces(dy);
  }

 private:
  [[nodiscard]] static divisor of(std::int64_t value)
  {
    return divisor{static_cast<std::int32_t>(value)};
  }
  [[nodiscard]] static divisor parts(std::int64_t whole, std::int64_t part)
  {
    return of(geometry::divide_up(whole, part));
  }
  [[nodiscard]] gradient_tensor<T> tensor(T const* data, std::int64_t batch_, std::int64_t channels,
                                          extent2 plane, gradient_area const& area) const
  {
    return {.data         = data,
            .elements     = batch_ * channels * plane.height * plane.width,
            .height       = static_cast<int>(plane.height),
            .width        = static_cast<int>(plane.width),
            .channels     = static_cast<int>(channels),
            .blocks       = parts(plane.width, gradient_block).divisor(),
            .area_begin   = 0,
            .area         = area,
            .row_pieces   = of(area.blocks),
            .image_pieces = of(std::int64_t{area.blocks} * policy.steps)};
  }
  [[nodiscard]] static bool in_pieces(gradient_tensor<T> const& t)
  {
    return t.width % gradient_block == 0 &&
           reinterpret_cast<std::uintptr_t>(t.data) % copy_bytes == 0;
  }
};

/// What one warp sums: some taps of one filter, over every `splits`-th unit.
struct gradient_item {
  int channel;  ///< Of dy.
  int input;    ///< Of x.
  int split;
  int tap_row;
  int tap_rows;
  int tap_column;
  int tap_columns;
  int pad_top;      ///< Rows of padding that the first of these taps sees,
  int pad_left;     ///< and columns; may be negative.
  int first_block;  ///< From a block of dy to the first block of x beside it.

  template <typename T>
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr gradient_item of(
    toeplitz_gradient_params<T> const& p, std::int32_t warp) noexcept
  {
    gradient_item i{};
    int const other = p.neighbours.quotient(warp);
    int const near  = warp - other * p.neighbours.divisor();
    i.split         = p.policy.side_by_side ? near : other;
    int const item  = p.policy.side_by_side ? other : near;
    int const rest  = p.row_groups.quotient(item);
    i.tap_row       = (item - rest * p.row_groups.divisor()) * p.policy.tap_rows;
    i.channel       = p.column_groups.quotient(rest);
    i.tap_column    = (rest - i.channel * p.column_groups.divisor()) * p.policy.tap_columns;
    i.input         = p.multiplier.quotient(i.channel);
    i.tap_rows      = at_most(p.policy.tap_rows, p.filter_height - i.tap_row);
    i.tap_columns   = at_most(p.policy.tap_columns, p.filter_width - i.tap_column);
    i.pad_top       = p.pad_top - i.tap_row;
    i.pad_left      = p.pad_left - i.tap_column;
    i.first_block   = -at_most((i.pad_left + 7) >> 3, p.dy.blocks - 1);
    return i;
  }

 private:
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int at_most(int limit, int value) noexcept
  {
    return value < limit ? value : limit;
  }
};

/// Some steps of a unit: rows of dy from `dy_row` on, and the rows of x that lie under the taps.
struct gradient_chunk {
  int image;
  int images;
  int block;  ///< First one of dy.
  int x_row;  ///< First one on the image.
  int x_rows;
  int dy_row;
  int dy_rows;
  int lead;   ///< Steps before the first row of x,
  int steps;  ///< of so many.
  bool first;
  bool last;
};

/// Where a warp is among its units: what follows is the step of a unit that a chunk begins with.
struct gradient_place {
  int unit;
  int image;
  int images;
  int block;  ///< First one of dy.
  int row;    ///< First one of dy,
  int rows;   ///< so many of them.
  int begin;  ///< First step,
  int step;   ///< the next,
  int end;    ///< and one past the last.
};

/// Goes through the chunks of a warp's units.
template <typename T>
class gradient_walk {
 public:
  DWCONV_HOST_DEVICE gradient_walk(toeplitz_gradient_params<T> const& p, gradient_item const& item)
    : p_{p}, pad_{item.pad_top}, halo_{item.tap_rows - 1}
  {
    at_.unit = item.split;
    settle();
  }

  /// Goes on where another stopped.
  DWCONV_HOST_DEVICE gradient_walk(toeplitz_gradient_params<T> const& p, gradient_item const& item,
                                   gradient_place const& at)
    : p_{p}, pad_{item.pad_top}, halo_{item.tap_rows - 1}, at_{at}
  {}

  [[nodiscard]] DWCONV_HOST_DEVICE bool done() const { return at_.unit >= p_.units; }
  [[nodiscard]] DWCONV_HOST_DEVICE gradient_place const& place() const { return at_; }

  DWCONV_HOST_DEVICE void next()
  {
    at_.step += p_.policy.steps;
    if (at_.step < at_.end) { return; }
    at_.unit += p_.policy.splits;
    settle();
  }

  [[nodiscard]] DWCONV_HOST_DEVICE gradient_chunk chunk() const
  {
    gradient_chunk c{};
    c.image        = at_.image;
    c.images       = at_.images;
    c.block        = at_.block;
    c.first        = at_.step == at_.begin;
    c.last         = at_.step + p_.policy.steps >= at_.end;
    c.steps        = c.last ? at_.end - at_.step : p_.policy.steps;
    c.dy_row       = at_.row + at_.step;
    int const x    = c.dy_row - pad_;
    c.lead         = x < 0 ? at_most(-x, c.steps) : 0;
    c.x_row        = x < 0 ? 0 : x;
    c.x_rows       = c.steps - c.lead;
    int const left = at_.rows - at_.step;
    c.dy_rows      = left < 0 ? 0 : at_most(left, c.steps);
    return c;
  }

 private:
  /// On to the next unit that has steps.
  DWCONV_HOST_DEVICE void settle()
  {
    for (; at_.unit < p_.units; at_.unit += p_.policy.splits) {
      int const down  = p_.windows.quotient(at_.unit);
      int const group = p_.strips.quotient(down);
      at_.block       = (at_.unit - down * p_.windows.divisor()) * p_.policy.blocks;
      at_.row         = (down - group * p_.strips.divisor()) * p_.policy.strip;
      at_.image       = group * p_.policy.images;
      at_.images      = at_most(p_.policy.images, p_.batch - at_.image);
      at_.rows        = at_most(p_.policy.strip, p_.dy.height - at_.row);
      int const first = pad_ - at_.row - halo_;
      at_.step = at_.begin = first > 0 ? first : 0;
      at_.end = at_most(at_.rows + halo_, p_.x.height + pad_ - at_.row);
      if (at_.begin < at_.end) { return; }
    }
  }

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int at_most(int limit, int value) noexcept
  {
    return value < limit ? value : limit;
  }

  toeplitz_gradient_params<T> const& p_;
  int pad_;
  int halo_;
  gradient_place at_{};
};

/// What a warp keeps in shared memory rather than in registers, beside its areas.
struct gradient_notes {
  std::uint64_t landed[gradient_layout::areas];  ///< Barriers.
  std::uint64_t unused;
  std::uint32_t zeros[4];
  gradient_item item;
  gradient_place ahead;                           ///< What to fetch next.
  gradient_chunk chunks[gradient_layout::areas];  ///< What was fetched, or has no steps.
};

static_assert(sizeof(gradient_notes) <= gradient_layout::staged);

}  // namespace dwconv
