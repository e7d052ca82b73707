// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/staging/gradient_axis.hpp>

namespace dwconv {

/// How one block of the window family's kernel for any filter sums the gradient of a tile of taps
/// of one output channel.
///
/// It takes every unit of its split: the same piece of dy's planes of some images, which is staged
/// with the x that it meets.
struct any_filter_gradient_policy {
  int tap_rows    = 1;  ///< Of a tile of taps,
  int tap_columns = 1;
  int rows        = 1;  ///< and of a piece of dy.
  int columns     = 1;
  int images      = 1;  ///< Of a unit.
  int beside      = 1;  ///< Lanes that share the columns of a piece.
  int per_split   = 1;  ///< Units of a block.
  int splits      = 0;
  friend constexpr bool operator==(any_filter_gradient_policy const&,
                                   any_filter_gradient_policy const&) = default;
};

/// What one thread multiplies: neighbouring taps whose sums are in registers, by `chunk`
/// neighbouring elements of a row of dy at a time.
struct any_filter_gradient_shape {
  int rows;
  int columns;
  int chunk;
};

/// Of sums of so many bytes.
[[nodiscard]] constexpr any_filter_gradient_shape any_filter_gradient_sums(
  int element_bytes) noexcept
{
  return element_bytes == 8 ? any_filter_gradient_shape{4, 8, 4}
                            : any_filter_gradient_shape{8, 8, 8};
}

/// Most threads of a block.
inline constexpr int any_filter_gradient_threads = 256;
/// Blocks of that many that a multiprocessor's registers shall hold; of doubles nearly two.
[[nodiscard]] constexpr int any_filter_gradient_blocks(int element_bytes) noexcept
{
  return element_bytes == 8 ? 1 : 2;
}

/// How a block's threads share the work, and where what is staged lies in shared memory, in
/// elements of the type of the sums; the same for every unit of a launch.
///
/// x as it lies, with zeros beside the image but no rows above or below it; dy in chunks of
/// neighbouring columns, the rows of a chunk one below the other, with zeros to its right.
struct any_filter_gradient_layout {
  gradient_axis rows;
  gradient_axis columns;
  int down;    ///< Warps that have the same lanes, each with taps further down.
  int across;  ///< Lanes that share the columns of a tile of taps.
  int chunks;  ///< Of a row of a piece.
  int groups;  ///< Warps of one place down.
  std::int64_t x_pitch, x_plane, dy_chunk, dy_plane, stage;

  constexpr any_filter_gradient_layout(conv2d_problem const& p,
                                       any_filter_gradient_policy const& policy,
                                       int element_bytes) noexcept
    : rows{p.input.height,    output_extent(p).height,
           p.filter.height,   p.stride.height,
           p.dilation.height, p.pad.top,
           policy.tap_rows,   policy.rows},
      columns{p.input.width,      output_extent(p).width, p.filter.width,
              p.stride.width,     p.dilation.width,       p.pad.left,
              policy.tap_columns, policy.columns}
  {
    any_filter_gradient_shape const own = any_filter_gradient_sums(element_bytes);
    down                                = gradient_axis::divide_up(rows.tile, own.rows);
    across                              = gradient_axis::divide_up(columns.tile, own.columns);
    chunks                              = gradient_axis::divide_up(columns.piece, own.chunk);
    groups               = gradient_axis::divide_up(across * policy.beside * policy.images, 32);
    constexpr int quad   = 4;
    auto const odd_quads = [](std::int64_t elements) {
      return ((elements + quad - 1) / quad | 1) * quad;
    };
    // Lanes with other chunks or images meet other banks.
    std::int64_t const met = columns.tile - 1 + std::int64_t{own.chunk} * chunks;
    x_pitch                = (met + quad - 1) / quad * quad;
    x_plane                = odd_quads(rows.marks_on_image() * x_pitch);
    dy_chunk               = odd_quads(std::int64_t{rows.piece} * own.chunk);
    dy_plane               = odd_quads(chunks * dy_chunk);
    stage                  = policy.images * (x_plane + dy_plane) + own.columns + own.chunk;
  }

  [[nodiscard]] constexpr int threads() const noexcept { return 32 * down * groups; }

  /// Blocks of a split.
  [[nodiscard]] constexpr std::int64_t blocks(conv2d_problem const& p) const noexcept
  {
    return p.output_channels() * rows.all_tiles() * columns.all_tiles();
  }
  /// Of all splits.
  [[nodiscard]] constexpr std::int64_t units(
    conv2d_problem const& p, any_filter_gradient_policy const& policy) const noexcept
  {
    return (p.batch + policy.images - 1) / policy.images * rows.all_pieces() * columns.all_pieces();
  }
  /// Shared memory of a block. A thread may read on past a row, for taps that are not there. What
  /// its threads have summed takes the place of the stages.
  [[nodiscard]] constexpr std::int64_t bytes(int element_bytes) const noexcept
  {
    int const columns_of_thread = any_filter_gradient_sums(element_bytes).columns;
    return std::max(stage, std::int64_t{threads()} * columns_of_thread) *
           (element_bytes == 8 ? 8 : 4);
  }
};

}  // namespace dwconv
