// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/staging/lattice_axis.hpp>

namespace dwconv {

/// The outputs one block computes: the same rectangle of some images and some output channels.
struct lattice_tile {
  int images   = 1;
  int channels = 1;  ///< Output channels.
  int rows     = 1;
  int columns  = 1;
  friend constexpr bool operator==(lattice_tile const&, lattice_tile const&) = default;
};

/// The most outputs that one thread computes.
struct lattice_piece {
  int rows;
  int columns;
};

/// Where the parts of such a tile lie in shared memory, in elements; the same for every tile of a
/// launch.
///
/// A staged row holds the lattices of its columns one after the other, so that taps are neighbours
/// in shared memory whatever the dilation. Columns outside the image are staged as zeros; rows
/// outside are not staged. Where a tile is as wide as the image, the zeros at the left end of a
/// lattice serve as the right end of the one before it as well.
struct lattice_layout {
  lattice_tile tile;
  lattice_axis rows;
  lattice_axis columns;
  int vector                 = 1;  ///< Neighbours that stay neighbours, at an address alike.
  int input_channels         = 1;  ///< Most that a tile's output channels read.
  std::int64_t staged_rows   = 1;  ///< Most of one plane.
  std::int64_t phase_pitch   = 1;  ///< From one lattice of a row to the next.
  std::int64_t row_pitch     = 1;
  std::int64_t plane_pitch   = 1;
  std::int64_t tail          = 0;  ///< Zeros after the last row of a plane.
  std::int64_t input_size    = 0;
  std::int64_t filter_eights = 1;  ///< Of eight taps, in a row of a filter.
  std::int64_t filter_pitch  = 4;  ///< From one filter to the next.
  std::int64_t result_size   = 0;
  std::int64_t image_tiles   = 0;
  std::int64_t channel_tiles = 1;
  std::int64_t tiles         = 0;

  lattice_layout() = default;
  /// Every extent of the problem is at most 2^24, the tile's outputs at most 2^24 an axis.
  constexpr lattice_layout(conv2d_problem const& p, lattice_tile const& tile_,
                           lattice_piece piece) noexcept
    : tile{tile_},
      rows{p.input.height,  output_extent(p).height, p.filter.height,
           p.stride.height, p.dilation.height,       p.pad.top,
           tile_.rows},
      columns{p.input.width,  output_extent(p).width, p.filter.width,
              p.stride.width, p.dilation.width,       p.pad.left,
              tile_.columns}
  {
    auto const m   = p.multiplier;
    auto const c   = std::int64_t{tile.channels};
    input_channels = static_cast<int>(c % m == 0 ? c / m : m % c == 0 ? 1 : (c + m - 2) / m + 1);
    lay_out_rows();
    lay_out_columns();

    std::int64_t const planes = std::int64_t{tile.images} * input_channels;
    plane_pitch               = staged_rows * row_pitch + tail;
    // Threads beside each other in a row are `piece.columns` apart; those of the next plane should
    // go on like that, modulo the 32 banks.
    std::int64_t const across = columns.pieces(piece.columns);
    std::int64_t const next   = across * piece.columns * columns.step;
    if (planes > 1 && across == 1) { plane_pitch |= 1; }
    if (planes > 1 && across > 1) { plane_pitch += ((next - plane_pitch) % 32 + 32) % 32; }
    if (planes > 1 && tile.images * tile.channels >= 32) { plane_pitch |= 1; }
    plane_pitch = (plane_pitch + vector - 1) / vector * vector;
    // Threads whose outputs are cut off by the tile's end may read on after the last row.
    std::int64_t const past = (piece.columns - std::int64_t{1}) * columns.step;
    input_size              = (std::max(planes * plane_pitch + past, around) + 3) / 4 * 4;
    filter_eights           = (columns.taps + 7) / 8;
    // An odd number of fours: threads with filters beside each other meet different banks.
    filter_pitch  = filter_eights * rows.taps * 8 + 4;
    result_size   = std::int64_t{tile.images} * tile.channels * tile.rows * tile.columns;
    image_tiles   = (p.batch + tile.images - 1) / tile.images;
    channel_tiles = (p.output_channels() + c - 1) / c;
    tiles         = image_tiles * channel_tiles * rows.tiles() * columns.tiles();
  }

  /// Shared memory of a block. Results take the place of what was staged.
  [[nodiscard]] constexpr std::int64_t size() const noexcept
  {
    return std::max(input_size + tile.channels * filter_pitch + around, result_size);
  }

 private:
  /// Elements before and after filters that may be read, to no effect.
  static constexpr std::int64_t around = 64;

  constexpr void lay_out_rows() noexcept
  {
    std::int64_t const unit = rows.unit.divisor();
    staged_rows             = std::min<std::int64_t>(rows.marks(), (rows.input + unit - 1) / unit);
  }

  constexpr void lay_out_columns() noexcept
  {
    std::int64_t const phases = columns.phases.divisor();
    std::int64_t const all    = (columns.marks() + phases - 1) / phases;
    // Where neighbours in memory stay neighbours, copies may move several of them. But threads in
    // different planes should meet different banks.
    bool const neighbours = phases == 1 && columns.unit.divisor() == 1;
    if (neighbours && tile.images * tile.channels < 32) {
      vector = columns.input % 4 == 0 ? 4 : columns.input % 2 == 0 ? 2 : 1;
    }
    phase_pitch = all + vector - 1;
    if (columns.outputs == columns.output) {
      auto const w             = lattice_window::of(columns, 0);
      std::int64_t const lead  = w.origin & (vector - 1);
      std::int64_t const end   = w.end > w.first ? (w.end - 1) / phases + 1 : 0;
      std::int64_t const zeros = std::min<std::int64_t>(w.first / phases, all);
      phase_pitch              = std::max<std::int64_t>({lead + end, all - zeros, 1});
      phase_pitch              = (phase_pitch + vector - 1) / vector * vector;
      tail                     = std::max<std::int64_t>(lead + all - phase_pitch, 0);
    }
    // Odd, so that threads on lattices beside each other meet different banks; and threads a few
    // rows apart. Odd in vectors where rows are copied in vectors.
    if (phases > 1) { phase_pitch |= 1; }
    row_pitch = (phases * phase_pitch + vector - 1) / vector;
    row_pitch = (row_pitch | 1) * vector;
  }
};

}  // namespace dwconv
