// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/problem/descriptor.hpp>
#include <dwconv/problem/output_extent.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// The outputs one block of the toeplitz family computes: whole planes of neighbouring channels of
/// several images, or a strip of rows of one plane, or a window of columns of such a strip.
struct toeplitz_tile {
  int images   = 1;     ///< More than one, as more than one channel, with whole planes only.
  int channels = 1;     ///< Input channels.
  int rows     = 1;     ///< Output rows of each plane.
  int columns  = 1;     ///< Output columns of each row; a multiple of 8, or the whole row.
  bool kept    = true;  ///< Results are gathered in shared memory, and stored together. Otherwise
                        ///< each lane stores its own, where rows begin at even addresses.
  friend constexpr bool operator==(toeplitz_tile const&, toeplitz_tile const&) = default;
};

/// Neighbouring outputs of a row that share one row of a matrix product.
inline constexpr int toeplitz_block = 8;

/// Slots of one matrix product, each a block of one row.
inline constexpr int toeplitz_slots = 16;

/// Inputs that one matrix product takes in, of one row, for each block.
inline constexpr int toeplitz_depth = 16;

/// Bytes of one element; the family takes no others.
inline constexpr int toeplitz_element_bytes = 2;

/// Where rows of x and y begin. Kernels are compiled for each.
enum class toeplitz_rows_begin : std::uint8_t {
  even,   ///< At even addresses all.
  any,    ///< Also at odd ones: rows have odd lengths, or a tensor begins there.
  alike,  ///< Wherever it is, those of a walk begin alike: of rows of odd lengths it takes every
          ///< so many, an even number.
};

/// What tensors that begin at even addresses have.
[[nodiscard]] constexpr toeplitz_rows_begin toeplitz_begin(conv2d_problem const& p) noexcept
{
  if (p.input.width % 2 != 0 && p.dilation.height % 2 == 0 && p.stride == extent2{1, 1} &&
      p.filter.height == 3) {
    return toeplitz_rows_begin::alike;
  }
  return p.input.width % 2 == 0 && output_extent(p).width % 2 == 0 ? toeplitz_rows_begin::even
                                                                   : toeplitz_rows_begin::any;
}

/// Columns by which windows of x begin before the first tap: pairs of elements are read as words,
/// so a window begins at an even column where all rows begin at even addresses. Where they do not,
/// a kernel decides row by row.
[[nodiscard]] constexpr int toeplitz_lead(conv2d_problem const& p,
                                          toeplitz_rows_begin begin) noexcept
{
  return begin == toeplitz_rows_begin::even ? static_cast<int>(p.pad.left % 2) : 0;
}

/// Matrix products from the first column of a window, at most one before the first tap, to the last
/// tap of its last output.
[[nodiscard]] constexpr int toeplitz_window_chunks(conv2d_problem const& p,
                                                   toeplitz_rows_begin begin) noexcept
{
  int const before          = begin == toeplitz_rows_begin::any ? 1 : toeplitz_lead(p, begin);
  std::int64_t const window = (toeplitz_block - 1) * p.stride.width + filter_span(p).width + before;
  return static_cast<int>(geometry::divide_up(window, toeplitz_depth));
}

/// Most rows of a filter with zeros between its taps: it is held in registers wherever rows begin.
inline constexpr int toeplitz_most_dilated_height = 7;

/// Whether a kernel that holds the whole filter in registers is compiled for this filter height and
/// stride; its width is known at run time. Other filters are read row by row from shared memory.
[[nodiscard]] constexpr bool toeplitz_holds_filter(conv2d_problem const& p,
                                                   toeplitz_rows_begin begin) noexcept
{
  std::int64_t const rows = p.filter.height;
  int const chunks        = toeplitz_window_chunks(p, begin);
  if (p.stride.height == 2) { return rows >= 2 && rows <= 7 && rows != 6 && chunks <= 2; }
  if (p.stride.height != 1) { return false; }
  // Where it reaches over most of the image, rows are better skipped.
  if (rows > 9 && rows >= p.input.height) { return false; }
  // Where rows begin anywhere, there are two of each matrix: too many registers for higher ones.
  bool const even = begin == toeplitz_rows_begin::even;
  switch (rows) {
    // Also at odd addresses, which a plan does not know: nothing else walks along a row.
    case 1: return toeplitz_window_chunks(p, toeplitz_rows_begin::any) <= 4;
    case 3: return chunks <= 2 || (chunks == 3 && even);
    case 2:
    case 4:
    case 5:
    case 6:
    case 7: return chunks == 1;
    case 9: return chunks == 1 && even;
    case 11:
    case 13: return chunks == 2 && even;
    default: return false;
  }
}

/// Whether there are zeros between a filter's taps.
[[nodiscard]] constexpr bool toeplitz_dilated(conv2d_problem const& p) noexcept
{
  return filter_span(p) != p.filter;
}

/// Whether a dilated filter is held in registers, wherever rows begin.
[[nodiscard]] constexpr bool toeplitz_takes_dilated(conv2d_problem const& p) noexcept
{
  return p.stride == extent2{1, 1} && p.filter.height <= toeplitz_most_dilated_height &&
         toeplitz_holds_filter(p, toeplitz_begin(p)) &&
         (toeplitz_begin(p) == toeplitz_rows_begin::alike ||
          toeplitz_holds_filter(p, toeplitz_rows_begin::any));
}

/// Whether there is a kernel, of those that hold the filter, in which each lane stores its results.
[[nodiscard]] constexpr bool toeplitz_stores_each(std::int64_t height, std::int64_t stride,
                                                  int chunks, toeplitz_rows_begin begin) noexcept
{
  return begin == toeplitz_rows_begin::even && height % 2 == 1 && height >= 3 && height <= 9 &&
         stride == 1 && chunks == 1;
}
/// Of a problem.
[[nodiscard]] constexpr bool toeplitz_stores_each(conv2d_problem const& p) noexcept
{
  auto const begin = toeplitz_begin(p);
  return toeplitz_holds_filter(p, begin) &&
         toeplitz_stores_each(p.filter.height, p.stride.height, toeplitz_window_chunks(p, begin),
                              begin);
}

/// Matrix products along a row of the filter, as many as a kernel is compiled for. Large filters do
/// without those behind the image's last column, where every window has zeros only.
[[nodiscard]] constexpr int toeplitz_chunks(conv2d_problem const& p,
                                            toeplitz_rows_begin begin) noexcept
{
  int const window = toeplitz_window_chunks(p, begin);
  if (toeplitz_holds_filter(p, begin)) {
    if (p.stride.height == 2) { return 2; }
    return p.filter.height == 1 && window == 3 ? 4 : window;
  }
  std::int64_t const image = p.pad.left + toeplitz_lead(p, begin) + p.input.width;
  auto const needed =
    static_cast<int>(std::min<std::int64_t>(window, geometry::divide_up(image, toeplitz_depth)));
  if (p.stride.height == 1) { return needed == 4 ? 5 : needed; }
  return needed <= 2 ? 2 : 5;
}

/// Output rows that a slot walks down where the filter is read from shared memory: as many as there
/// are rows of sums in registers.
inline constexpr int toeplitz_sums = 7;

/// Columns from one step to the next of a walk along a row: the 16 slots of a matrix product lie
/// beside each other.
inline constexpr int toeplitz_stretch = toeplitz_block * toeplitz_slots;

/// How the output rows of a tile are dealt out to walks: one takes every `step`-th row, and its
/// rows of sums meet the same rows of x. Where a filter is dilated down the plane, the rows in
/// between belong to walks of other phases.
struct toeplitz_phases {
  int step;     ///< From one row of a walk to the next, and as many phases.
  int classes;  ///< 2 where phases begin at even and odd addresses in turn: slots of one matrix
                ///< product have to begin alike, so every second phase has its own products.

  [[nodiscard]] static constexpr toeplitz_phases of(conv2d_problem const& p) noexcept
  {
    int const step = p.filter.height > 1 ? static_cast<int>(p.dilation.height) : 1;
    return {step, step > 1 && p.input.width % 2 != 0 ? 2 : 1};
  }

  /// Phases of the first class, which may have one more than the second.
  [[nodiscard]] constexpr int of_class() const noexcept { return (step + classes - 1) / classes; }

  /// Rows of the first phase among `rows`.
  [[nodiscard]] constexpr std::int64_t rows_of(std::int64_t rows) const noexcept
  {
    return geometry::divide_up(rows, step);
  }

  /// Walks of a class down `rows` rows.
  [[nodiscard]] constexpr std::int64_t walks(std::int64_t rows, int walk) const noexcept
  {
    return geometry::divide_up(rows_of(rows), walk) * of_class();
  }
};

/// Blocks of a row of `columns` outputs. Those of walks that begin at an odd address begin one
/// column early, where walks' rows begin alike.
[[nodiscard]] constexpr std::int64_t toeplitz_row_blocks(conv2d_problem const& p,
                                                         std::int64_t columns) noexcept
{
  bool const early = toeplitz_begin(p) == toeplitz_rows_begin::alike;
  return geometry::divide_up(columns + (early ? 1 : 0), toeplitz_block);
}

/// Whether walks go along a plane's only row.
[[nodiscard]] constexpr bool toeplitz_one_row(conv2d_problem const& p) noexcept
{
  constexpr std::int64_t least_width = 256;
  extent2 const out                  = output_extent(p);
  return p.input.height == 1 && p.filter.height == 1 && out.height == 1 && p.stride.height == 1 &&
         out.width >= least_width && toeplitz_holds_filter(p, toeplitz_rows_begin::any);
}

/// Filter rows in shared memory, extended by zeros on both sides, in two copies: the second begins
/// one element later, so that a pair is an aligned word of one or the other.
struct toeplitz_filter_rows {
  int zeros;  ///< Before the first tap; even.
  int words;  ///< Of each copy.
  int pitch;  ///< From one copy to the next, in words.

  [[nodiscard]] static constexpr toeplitz_filter_rows of(conv2d_problem const& p,
                                                         toeplitz_rows_begin begin) noexcept
  {
    return of_window(
      static_cast<int>((toeplitz_block - 1) * p.stride.width) + toeplitz_lead(p, begin),
      toeplitz_chunks(p, begin));
  }

  /// @param reach  Elements by which the last output's window begins after the first tap's column.
  /// @param chunks Matrix products along a row.
  [[nodiscard]] static constexpr toeplitz_filter_rows of_window(int reach, int chunks) noexcept
  {
    toeplitz_filter_rows rows{};
    rows.zeros = geometry::round_up(reach, 2);
    rows.words = (toeplitz_depth * chunks + rows.zeros) / 2;
    rows.pitch = rows.words;
    // A warp reads about eight words of either copy at once: they keep to different banks.
    while (rows.pitch % 32 < 8 || rows.pitch % 32 > 24) { ++rows.pitch; }
    return rows;
  }
};

/// Where the parts of a tile lie in shared memory, in elements; the same for every tile of a
/// launch.
///
/// Elements lie as in memory, each as far from a 16-byte boundary as there: full rows and planes
/// follow each other without a gap, and what does not touch in memory is a congruent pitch apart.
struct toeplitz_layout {
  toeplitz_tile tile;
  bool whole_rows;
  bool whole_planes;
  int row_pitch;    ///< From one staged row to the next.
  int plane_pitch;  ///< From one staged channel to the next.
  int image_pitch;  ///< From one staged image to the next.
  int slack;        ///< Readable elements before the first staged row and after the last.
  int input_size;   ///< Of the whole staging area.
  bool kept;        ///< As in `tile`, but always where rows begin anywhere.
  int kept_row;     ///< The same for results.
  int kept_plane;   ///< From one output channel to the next.
  int kept_image;
  int output_size;
  toeplitz_filter_rows filter;
  int filter_size;  ///< Of all the tile's filter rows; 0 where registers hold the filter.
  int raw_size;     ///< Of the filters as they are in memory; the same.

  static constexpr int piece = copy_bytes / toeplitz_element_bytes;

  /// @param p     A valid problem in nchw whose tile has fewer than 2^31 elements.
  /// @param tile  Of its outputs.
  /// @param begin Where rows of x and y begin.
  [[nodiscard]] static constexpr toeplitz_layout of(conv2d_problem const& p, toeplitz_tile tile,
                                                    toeplitz_rows_begin begin) noexcept
  {
    extent2 const out = output_extent(p);
    toeplitz_layout g{};
    g.tile         = tile;
    g.whole_rows   = tile.columns >= out.width;
    g.whole_planes = g.whole_rows && tile.rows >= out.height;

    std::int64_t const rows_met = (tile.rows - 1) * p.stride.height + filter_span(p).height;
    std::int64_t const cols_met = (tile.columns - 1) * p.stride.width + filter_span(p).width;
    std::int64_t const rows     = std::min(rows_met, p.input.height);
    std::int64_t const columns  = std::min(cols_met, p.input.width);
    std::int64_t const plane    = p.input.height * p.input.width;
    g.row_pitch                 = g.whole_rows ? static_cast<int>(p.input.width)
                                               : congruent(columns + 2 * piece, p.input.width);
    g.plane_pitch               = static_cast<int>(g.whole_planes ? plane : rows * g.row_pitch);
    g.image_pitch               = congruent(tile.channels * std::int64_t{g.plane_pitch} + 2 * piece,
                                            p.channels % piece * (plane % piece));
    g.image_pitch               = beside(g.image_pitch, tile.columns, p.stride.width);
    // Windows begin before the image, and blocks may hang over its end.
    std::int64_t const overhang =
      std::max<std::int64_t>(p.pad.left + 2, toeplitz_depth * toeplitz_chunks(p, begin)) +
      toeplitz_block * p.stride.width;
    g.slack      = geometry::round_up(static_cast<int>(overhang), piece) + piece;
    g.input_size = geometry::round_up(
      2 * g.slack + (tile.images - 1) * g.image_pitch + tile.channels * g.plane_pitch, 64);

    std::int64_t const out_plane = out.height * out.width;
    std::int64_t const out_rows  = std::min<std::int64_t>(tile.rows, out.height);
    int const planes             = tile.channels * static_cast<int>(p.multiplier);
    g.kept_row =
      g.whole_rows ? static_cast<int>(out.width) : congruent(tile.columns + piece, out.width);
    g.kept_plane  = g.whole_planes ? static_cast<int>(out_plane)
                                   : congruent(out_rows * g.kept_row + 2 * piece, out_plane);
    g.kept_image  = congruent(planes * std::int64_t{g.kept_plane} + 2 * piece,
                              p.output_channels() % piece * (out_plane % piece));
    g.kept_image  = beside(g.kept_image, tile.columns, 1);
    g.kept        = tile.kept || begin != toeplitz_rows_begin::even;
    g.output_size = g.kept ? geometry::round_up(tile.images * g.kept_image + 2 * piece, 64) : 0;

    g.filter = toeplitz_filter_rows::of(p, begin);
    if (!toeplitz_holds_filter(p, begin)) {
      g.filter_size = planes * static_cast<int>(p.filter.height) * 4 * g.filter.pitch;
      g.raw_size    = planes * static_cast<int>(p.filter.height * p.filter.width);
    }
    return g;
  }

  /// Dynamic shared memory of a block: a barrier, then the areas.
  [[nodiscard]] constexpr int shared_bytes() const noexcept
  {
    return 128 + (input_size + output_size + filter_size + raw_size) * toeplitz_element_bytes;
  }

  /// Enough for tensors that begin anywhere: what is planned does not know them. But where results
  /// are not kept, those that begin at odd addresses need more.
  [[nodiscard]] static constexpr int shared_bytes(conv2d_problem const& p,
                                                  toeplitz_tile tile) noexcept
  {
    int const bytes = of(p, tile, toeplitz_begin(p)).shared_bytes();
    if (toeplitz_begin(p) != toeplitz_rows_begin::even || !tile.kept) { return bytes; }
    return std::max(bytes, of(p, tile, toeplitz_rows_begin::any).shared_bytes());
  }

 private:
  /// A pitch, no smaller, that brings an image's windows into the banks behind those of the image
  /// before, as if they were neighbouring blocks of one row.
  [[nodiscard]] static constexpr int beside(int pitch, int columns, std::int64_t stride) noexcept
  {
    constexpr int all_banks = 128 / copy_bytes;
    auto const blocks =
      static_cast<int>(geometry::divide_up(columns, toeplitz_block) * stride % all_banks);
    while (pitch / piece % all_banks != blocks) { pitch += piece; }
    return pitch;
  }

  [[nodiscard]] static constexpr int congruent(std::int64_t least,
                                               std::int64_t memory_pitch) noexcept
  {
    return static_cast<int>(geometry::congruent_pitch(least, memory_pitch, piece));
  }
};

}  // namespace dwconv
