// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/problem/output_extent.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// Columns of dy, and of x, that one side of a matrix product holds.
inline constexpr int gradient_block = 8;

/// Blocks that are summed over at once: the depth of a matrix product.
inline constexpr int gradient_slots = 16;

/// Most runs of one tensor in a chunk: a warp's lanes start the copies of both tensors.
inline constexpr int gradient_runs_most = 16;

/// Most steps of a chunk.
inline constexpr int gradient_steps_most = 128;

/// How chunks reach shared memory.
enum class gradient_way : std::uint8_t {
  as_copied,  ///< Every row begins with a piece of memory: read as it lies.
  by_units,   ///< Rows begin at multiples of 4 or 8: copied by so many, each row to its place.
  laid_out,   ///< Copied as it lies, then every row laid out.
};

/// The most bytes, 2 to 16, that every row of such a width begins at a multiple of.
[[nodiscard]] constexpr int gradient_unit(std::int64_t width) noexcept
{
  int unit = copy_bytes;
  while (width * 2 % unit != 0) { unit /= 2; }
  return unit;
}

/// Threads of a block of the kernel: its warps share nothing but the multiprocessor.
inline constexpr int gradient_threads = 128;

/// Blocks that a multiprocessor's registers shall hold: what caps a thread's registers. As many as
/// the compiler manages without spilling.
[[nodiscard]] constexpr int gradient_blocks(int rows, int halves) noexcept
{
  if (halves == 1 && rows <= 7) { return 5; }
  return rows * halves <= 21 ? 4 : 3;
}

/// How the toeplitz family sums the gradient of the filter. A warp takes some rows and columns of
/// one filter, and of the *units* that x and dy are cut into every `splits`-th. A unit is a strip
/// of rows, some blocks of columns wide, of some images; it passes through shared memory some rows
/// at a time.
struct toeplitz_gradient_policy {
  int rows          = 3;  ///< Filter rows that the kernel has sums for,
  int halves        = 3;  ///< and blocks of x that it has beside each block of dy.
  int tap_rows      = 1;  ///< Filter rows of a warp: at most `rows`.
  int tap_columns   = 1;  ///< Filter columns of a warp.
  int images        = 1;  ///< Of a unit.
  int blocks        = 1;  ///< Of dy, along a row of a unit.
  int strip         = 1;  ///< Rows of dy of a unit.
  int steps         = 1;  ///< Of a chunk: a step brings a row of x and one of dy.
  int splits        = 1;
  bool whole_rows   = true;   ///< A unit has full rows, which lie one after the other.
  bool side_by_side = false;  ///< Splits of one filter are neighbours, instead of filters.
  bool passing      = false;  ///< What is read does not take the place of what others left in L2.
  friend constexpr bool operator==(toeplitz_gradient_policy const&,
                                   toeplitz_gradient_policy const&) = default;
};

/// Where one tensor's part of a chunk lies in shared memory, in pieces of 16 bytes, which hold a
/// block each. As copied: the rows of an image, or single rows, as they lie in memory. Laid out:
/// every row begins with a piece.
struct gradient_area {
  int rows        = 0;  ///< Most of an image,
  int blocks      = 0;  ///< and of a row.
  int run_pitch   = 0;  ///< As copied, from one run to the next,
  int copied      = 0;  ///< and in all.
  int row_pitch   = 0;  ///< Laid out.
  int image_pitch = 0;
  int laid_out    = 0;  ///< In all.

  /// Pieces of an image.
  [[nodiscard]] constexpr std::int64_t pieces() const noexcept
  {
    return std::int64_t{rows} * blocks;
  }

  gradient_area() = default;
  /// @param policy     Of the launch.
  /// @param plane      Of the tensor.
  /// @param own_blocks Most blocks of a row that are staged.
  constexpr gradient_area(toeplitz_gradient_policy const& policy, extent2 plane,
                          std::int64_t own_blocks) noexcept
    : rows{static_cast<int>(std::min<std::int64_t>(policy.steps, plane.height))},
      blocks{static_cast<int>(own_blocks)}
  {
    bool const even = plane.width % gradient_block == 0;
    // Pieces that are laid out in rows an odd number apart are written to different banks.
    row_pitch   = policy.whole_rows && gradient_unit(plane.width) >= 8 ? blocks : blocks | 1;
    image_pitch = spread(policy, rows * row_pitch);
    laid_out    = policy.images * image_pitch;
    if (!policy.whole_rows) {
      run_pitch = (blocks + 1) | 1;
      copied    = rows * run_pitch;
    } else {
      // With room for what lies between a run's begin and the boundary before it.
      std::int64_t const least = (rows * plane.width + 2 * (gradient_block - 1)) / gradient_block;
      run_pitch = even ? spread(policy, static_cast<int>(least)) : static_cast<int>(least);
      copied    = policy.images * run_pitch;
    }
  }

 private:
  /// Slots of an image lie behind those of the one before, modulo the banks.
  [[nodiscard]] static constexpr int spread(toeplitz_gradient_policy const& policy,
                                            int pitch) noexcept
  {
    while (policy.images > 1 && (pitch - policy.blocks) % 8 != 0) { ++pitch; }
    return pitch;
  }
};

/// Of an entry of the table that says where pieces or units lie.
inline constexpr int gradient_entry_bytes = 8;

/// The shared memory of a block, in bytes: the table, then for each warp its notes and areas for
/// chunks, in whose place sums lie at the end.
struct gradient_layout {
  static constexpr int areas  = 2;
  static constexpr int staged = 144;  ///< Where a warp's areas begin, after its notes.
  gradient_area x;
  gradient_area dy;
  bool units               = false;  ///< Rows begin at units, where the tensors do.
  std::int64_t copied      = 0;      ///< Of an area.
  std::int64_t laid_out    = 0;
  std::int64_t warp_bytes  = 0;
  std::int64_t table_bytes = 0;

  gradient_layout() = default;
  constexpr gradient_layout(conv2d_problem const& p,
                            toeplitz_gradient_policy const& policy) noexcept
  {
    extent2 const out      = output_extent(p);
    std::int64_t const all = geometry::divide_up(p.input.width, gradient_block);
    x                      = {policy, p.input,
         policy.whole_rows ? all : std::min<std::int64_t>(all, policy.blocks + policy.halves - 1)};
    dy                     = {policy, out, policy.blocks};
    int const x_unit = gradient_unit(p.input.width), dy_unit = gradient_unit(out.width);
    // Where rows are short, copies of 4 bytes are too many: there it is quicker to lay rows out.
    units = std::min(x_unit, dy_unit) >= (policy.whole_rows ? 8 : 4);
    // One more: words are read up to one past a run.
    copied   = (std::int64_t{x.copied} + dy.copied + 1) * copy_bytes;
    laid_out = (std::int64_t{x.laid_out} + dy.laid_out) * copy_bytes;
    std::int64_t const sums =
      std::int64_t{policy.rows} * policy.halves * gradient_block * gradient_block * 4;
    bool const even         = std::min(x_unit, dy_unit) == copy_bytes;
    std::int64_t const both = even ? areas * copied : units ? areas * laid_out : 0;
    warp_bytes              = staged + std::max({both, copied + laid_out, sums});
    // Past the rows of dy there are steps that read, and drop, what lies behind them.
    warp_bytes += std::int64_t{policy.steps - dy.rows} *
                  std::max(dy.row_pitch, policy.whole_rows ? 0 : dy.run_pitch) * copy_bytes;
    std::int64_t const of_pieces = policy.images * (x.pieces() + dy.pieces());
    std::int64_t const of_units =
      units ? x.pieces() * (copy_bytes / x_unit) + dy.pieces() * (copy_bytes / dy_unit) : 0;
    table_bytes = geometry::round_up(std::max(of_pieces, of_units), 2) * gradient_entry_bytes;
  }

  /// Of a block.
  [[nodiscard]] constexpr std::int64_t shared_bytes() const noexcept
  {
    return table_bytes + gradient_threads / 32 * warp_bytes;
  }
};

}  // namespace dwconv
