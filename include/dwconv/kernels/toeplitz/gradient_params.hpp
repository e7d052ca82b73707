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
  T const* end;
  std::int64_t image;  ///< Elements from one image to the next,
  std::int64_t plane;  ///< and from one plane to the next.
  int height;
  int width;
  int blocks;     ///< Of a row of the plane.
  int run_shift;  ///< Elements by which runs are further past a 16-byte boundary, each.
  int unit;       ///< Bytes, where they are copied by units.
  int entry;      ///< First one of the table,
  int entries;    ///< so many of them for an image.
  int copied;     ///< Bytes from a chunk's area to this tensor's, as copied,
  int laid_out;   ///< and laid out.
  int row_pitch;  ///< Bytes, where lanes read.
  int image_pitch;
  std::uint32_t tail[4];  ///< Of the words of a row's last piece, the bits that are in the plane.
  gradient_area area;
  fast_divisor<std::int32_t> by_entries;
  fast_divisor<std::int32_t> by_rows;
};

/// Everything the toeplitz kernel of backward_filter is told, by value.
template <typename T>
struct toeplitz_gradient_params {
  using divisor = fast_divisor<std::int32_t>;

  gradient_tensor<T> x;
  gradient_tensor<T> dy;
  float* partial;  ///< Of each split, a gradient of the filter.
  toeplitz_gradient_policy policy;
  int area_bytes;
  int warp_bytes;
  int table_bytes;
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
  int filters;            ///< Channels of dy.
  int batch;
  int filter_height;
  int filter_width;
  int pad_top;
  int pad_left;
  gradient_way way;

  toeplitz_gradient_params(conv2d_problem const& p, T const* x_, T const* dy_, float* partial_,
                           toeplitz_gradient_policy const& policy_)
    : partial{partial_}, policy{policy_}, multiplier{of(p.multiplier)}
  {
    extent2 const out = output_extent(p);
    gradient_layout const layout{p, policy};
    way         = way_of(layout, x_, p.input.width, dy_, out.width);
    x           = tensor(x_, p.batch, p.channels, p.input, layout.x);
    dy          = tensor(dy_, p.batch, p.output_channels(), out, layout.dy);
    dy.copied   = layout.x.copied * copy_bytes;
    dy.laid_out = layout.x.laid_out * copy_bytes;
    dy.entry    = way == gradient_way::by_units ? x.entries : x.entries * policy.images;
    area_bytes  = static_cast<int>(way == gradient_way::by_units ? layout.laid_out : layout.copied);
    warp_bytes  = static_cast<int>(layout.warp_bytes);
    table_bytes = static_cast<int>(layout.table_bytes);
    row_groups  = parts(p.filter.height, policy.tap_rows);
    column_groups = parts(p.filter.width, policy.tap_columns);
    tap_columns   = of(policy.tap_columns);
    block_columns = of(policy.blocks);
    windows       = parts(dy.blocks, policy.blocks);
    strips        = parts(out.height, policy.strip);
    units = static_cast<int>(geometry::divide_up(p.batch, policy.images) * windows.divisor() *
                             strips.divisor());
    items = static_cast<int>(p.output_channels() * row_groups.divisor() * column_groups.divisor());
    neighbours    = of(policy.side_by_side ? policy.splits : items);
    filters       = static_cast<int>(p.output_channels());
    batch         = static_cast<int>(p.batch);
    filter_height = static_cast<int>(p.filter.height);
    filter_width  = static_cast<int>(p.filter.width);
    pad_top       = static_cast<int>(p.pad.top);
    pad_left      = static_cast<int>(p.pad.left);
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
  [[nodiscard]] gradient_tensor<T> tensor(T const* data, std::int64_t images, std::int64_t channels,
                                          extent2 plane, gradient_area const& area) const
  {
    gradient_tensor<T> t{};
    t.data      = data;
    t.end       = data + images * channels * plane.height * plane.width;
    t.image     = channels * plane.height * plane.width;
    t.plane     = plane.height * plane.width;
    t.height    = static_cast<int>(plane.height);
    t.width     = static_cast<int>(plane.width);
    t.blocks    = parts(plane.width, gradient_block).divisor();
    t.run_shift = static_cast<int>((policy.whole_rows ? t.image : plane.width) % gradient_block);
    bool const as_copied = way == gradient_way::as_copied;
    bool const by_units  = way == gradient_way::by_units;
    t.unit               = gradient_unit(plane.width);
    t.entries            = static_cast<int>(area.pieces()) * (by_units ? copy_bytes / t.unit : 1);
    int const row        = policy.whole_rows ? area.blocks : area.run_pitch;
    t.row_pitch          = (as_copied ? row : area.row_pitch) * copy_bytes;
    t.image_pitch        = (as_copied ? area.run_pitch : area.image_pitch) * copy_bytes;
    t.area               = area;
    t.by_entries         = of(t.entries);
    t.by_rows            = of(area.rows);
    int const filled     = t.width - (t.blocks - 1) * gradient_block;
    for (int k = 0; k < 4; ++k) {
      t.tail[k] = filled >= 2 * k + 2 ? ~0u : filled == 2 * k + 1 ? 0xffffu : 0u;
    }
    return t;
  }
  [[nodiscard]] static gradient_way way_of(gradient_layout const& layout, T const* x_,
                                           std::int64_t x_width, T const* dy_,
                                           std::int64_t dy_width)
  {
    auto const at_units = [](T const* data, int unit) {
      return reinterpret_cast<std::uintptr_t>(data) % static_cast<unsigned>(unit) == 0;
    };
    int const x_unit = gradient_unit(x_width), dy_unit = gradient_unit(dy_width);
    if (!layout.units || !at_units(x_, x_unit) || !at_units(dy_, dy_unit)) {
      return gradient_way::laid_out;
    }
    return x_unit == copy_bytes && dy_unit == copy_bytes ? gradient_way::as_copied
                                                         : gradient_way::by_units;
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

  /// The first block of x that is staged with block `block` of dy.
  template <typename T>
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int staged_block(toeplitz_gradient_params<T> const& p,
                                                              int block) const noexcept
  {
    int const first = block + first_block;
    return p.policy.whole_rows || first < 0 ? 0 : at_most(first, p.x.blocks);
  }

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
  int dy_row;
  int dy_rows;
  int lead;   ///< Steps before the first row of x,
  int steps;  ///< of so many.
  bool first;
  bool last;

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int x_rows() const noexcept { return steps - lead; }
};

/// Where a warp is among its units.
struct gradient_place {
  int unit;
  int step;  ///< Of the unit, that the next chunk begins with,
  int end;   ///< and one past the last.
  int row;   ///< First one of dy.
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
    int const down = p_.windows.quotient(at_.unit);
    c.block        = (at_.unit - down * p_.windows.divisor()) * p_.policy.blocks;
    c.image        = p_.strips.quotient(down) * p_.policy.images;
    c.images       = at_most(p_.policy.images, p_.batch - c.image);
    c.first        = at_.step == begin();
    c.last         = at_.step + p_.policy.steps >= at_.end;
    c.steps        = c.last ? at_.end - at_.step : p_.policy.steps;
    c.dy_row       = at_.row + at_.step;
    int const x    = c.dy_row - pad_;
    c.lead         = x < 0 ? at_most(-x, c.steps) : 0;
    c.x_row        = x < 0 ? 0 : x;
    int const left = rows() - at_.step;
    c.dy_rows      = left < 0 ? 0 : at_most(left, c.steps);
    return c;
  }

 private:
  /// Rows of dy of the unit.
  [[nodiscard]] DWCONV_HOST_DEVICE int rows() const
  {
    return at_most(p_.policy.strip, p_.dy.height - at_.row);
  }
  /// The first step that has a row of x, or dy for one.
  [[nodiscard]] DWCONV_HOST_DEVICE int begin() const
  {
    int const first = pad_ - at_.row - halo_;
    return first > 0 ? first : 0;
  }

  /// On to the next unit that has steps.
  DWCONV_HOST_DEVICE void settle()
  {
    for (; at_.unit < p_.units; at_.unit += p_.policy.splits) {
      int const down = p_.windows.quotient(at_.unit);
      at_.row        = (down - p_.strips.quotient(down) * p_.strips.divisor()) * p_.policy.strip;
      at_.step       = begin();
      at_.end        = at_most(rows() + halo_, p_.x.height + pad_ - at_.row);
      if (at_.step < at_.end) { return; }
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

/// A chunk as a warp notes it down for later, in few words.
struct alignas(16) gradient_note {
  unsigned counts;  ///< Steps, lead, rows of dy; first, last.
  unsigned past;    ///< How far past a boundary the first run of x begins, and of dy; images.
  int block;
  int unused;

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr gradient_note of(gradient_chunk const& c,
                                                                     unsigned x_past,
                                                                     unsigned dy_past) noexcept
  {
    auto const word = [](int value) { return static_cast<unsigned>(value); };
    return {word(c.steps) | word(c.lead) << 8 | word(c.dy_rows) << 16 | word(c.first) << 24 |
              word(c.last) << 25,
            x_past | dy_past << 8 | word(c.images) << 16, c.block, 0};
  }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int steps() const noexcept { return byte(counts, 0); }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int lead() const noexcept { return byte(counts, 8); }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int dy_rows() const noexcept
  {
    return byte(counts, 16);
  }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr bool first() const noexcept
  {
    return (counts >> 24 & 1u) != 0;
  }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr bool last() const noexcept
  {
    return (counts >> 25 & 1u) != 0;
  }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int x_past() const noexcept { return byte(past, 0); }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int dy_past() const noexcept { return byte(past, 8); }
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int images() const noexcept { return byte(past, 16); }

 private:
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int byte(unsigned word, int from) noexcept
  {
    return static_cast<int>(word >> from & 255u);
  }
};

/// What a warp keeps in shared memory rather than in registers, beside its areas.
struct gradient_notes {
  std::uint64_t landed[gradient_layout::areas];  ///< Barriers, an even number.
  std::uint32_t zeros[4];
  gradient_note chunks[gradient_layout::areas];  ///< What was fetched, or has no steps.
  gradient_place ahead;                          ///< What to fetch next.
  gradient_item item;
  int unused;
};

static_assert(sizeof(gradient_notes) <= gradient_layout::staged &&
              gradient_layout::staged % copy_bytes == 0);

}  // namespace dwconv
