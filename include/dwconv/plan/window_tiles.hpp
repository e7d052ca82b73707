// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

namespace window_tiles {

/// What a tile aims for. Several blocks share a multiprocessor, one computing while others wait for
/// memory: what is best is small enough for that and large enough to read few rows twice.
struct aims {
  int threads;           ///< Of a block with whole planes.
  int rows_per_thread;   ///< Longest walk of a thread.
  int strip_rows;        ///< Output rows of a tile that is a part of a plane.
  int strip_bytes;       ///< Shared memory up to which it has more.
  int most_strip_bytes;  ///< Shared memory from which on it has fewer,
  int most_cut_bytes;    ///< and the same where rows are cut.
  int planes_bytes;      ///< Shared memory up to which whole planes are added.
};

// H200, CUDA 13.0, float and half, shapes of the zoo; found by trying walks of 4 to 56 rows, strips
// of 8 to 64 rows and 160 to 640 columns, 1 to 128 planes. docs/tuning.md has the figures.
inline constexpr aims small_filter_sm90{.threads          = 96,
                                        .rows_per_thread  = 16,
                                        .strip_rows       = 16,
                                        .strip_bytes      = 26 * 1024,
                                        .most_strip_bytes = 72 * 1024,
                                        .most_cut_bytes   = 40 * 1024,
                                        .planes_bytes     = 36 * 1024};
inline constexpr aims middle_filter_sm90{.threads          = 64,
                                         .rows_per_thread  = 16,
                                         .strip_rows       = 16,
                                         .strip_bytes      = 26 * 1024,
                                         .most_strip_bytes = 72 * 1024,
                                         .most_cut_bytes   = 40 * 1024,
                                         .planes_bytes     = 36 * 1024};
// A 7x7 walk re-reads six rows: longer walks, and as many planes as it takes to fill a block with
// them.
inline constexpr aims large_filter_sm90{.threads          = 64,
                                        .rows_per_thread  = 28,
                                        .strip_rows       = 16,
                                        .strip_bytes      = 52 * 1024,
                                        .most_strip_bytes = 100 * 1024,
                                        .most_cut_bytes   = 100 * 1024,
                                        .planes_bytes     = 76 * 1024};

[[nodiscard]] constexpr aims aims_for(std::int64_t filter_height) noexcept
{
  return filter_height <= 3   ? small_filter_sm90
         : filter_height <= 5 ? middle_filter_sm90
                              : large_filter_sm90;
}

/// Threads of a warp; longest stretch of a row that one tile takes; largest plane that is not cut.
inline constexpr int warp_size          = 32;
inline constexpr int most_columns       = 512;
inline constexpr int most_plane_outputs = 4096;

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr int even_part(std::int64_t whole, int most) noexcept
{
  std::int64_t const parts = geometry::divide_up(whole, most);
  return static_cast<int>(geometry::divide_up(whole, parts));
}

[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p, tile_shape tile,
                                                  int element_bytes, int columns) noexcept
{
  tile_geometry const g = lay_out_tile(p, tile, element_bytes, window_overhang(p, columns));
  return 128 + (g.input_size + g.output_size) * element_bytes;
}

}  // namespace window_tiles

/// Chooses a tile: whole planes where they are small, else strips of full rows, else parts of rows.
/// Goes by ranges, never by single sizes. The problem's planes have extents of at most 2^24.
[[nodiscard]] constexpr window_policy choose_window_policy(conv2d_problem const& p,
                                                           int element_bytes) noexcept
{
  using namespace window_tiles;
  aims const aim      = aims_for(p.filter.height);
  extent2 const out   = output_extent(p);
  int const columns   = window_columns(p.filter.height, element_bytes);
  auto const bytes_of = [&](tile_shape tile) {
    return shared_bytes(p, tile, element_bytes, columns);
  };
  auto const height = static_cast<int>(out.height);
  tile_shape const plane{.planes = 1, .rows = height, .columns = static_cast<int>(out.width)};
  bool const whole =
    out.height * out.width <= most_plane_outputs && bytes_of(plane) <= aim.planes_bytes;

  window_policy policy{};
  tile_shape& tile = policy.tile;
  tile             = plane;
  if (!whole) {
    tile.columns = even_part(out.width, most_columns);
    tile.rows    = std::min(height, aim.strip_rows);
    while (tile.rows < height && bytes_of({1, 2 * tile.rows, tile.columns}) <= aim.strip_bytes) {
      tile.rows *= 2;
    }
    tile.rows            = even_part(height, tile.rows);
    int const most_bytes = tile.columns < out.width ? aim.most_cut_bytes : aim.most_strip_bytes;
    while (tile.rows > 1 && bytes_of(tile) > most_bytes) { tile.rows = (tile.rows + 1) / 2; }
  }
  policy.rows_per_thread = even_part(tile.rows, aim.rows_per_thread);

  std::int64_t const pieces_of_plane = geometry::divide_up(tile.columns, columns) *
                                       geometry::divide_up(tile.rows, policy.rows_per_thread) *
                                       p.multiplier;
  if (whole) {
    std::int64_t const threads = pieces_of_plane >= warp_size ? 2 * aim.threads : aim.threads;
    tile.planes                = static_cast<int>(std::clamp<std::int64_t>(
      threads / pieces_of_plane, 1, std::max<std::int64_t>(p.batch * p.channels, 1)));
    while (tile.planes > 1 && bytes_of(tile) > aim.planes_bytes) { --tile.planes; }
  }
  std::int64_t const warps = geometry::divide_up(pieces_of_plane * tile.planes, warp_size);
  policy.threads = static_cast<int>(std::min<std::int64_t>(warps * warp_size, window_threads));
  return policy;
}

}  // namespace dwconv
