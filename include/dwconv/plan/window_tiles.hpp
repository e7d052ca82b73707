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
/// memory.
struct aims {
  int threads;          ///< Of a block.
  int rows_per_thread;  ///< Longest walk of a thread.
  int strip_rows;       ///< Output rows of a tile that is a part of a plane.
  int shared_bytes;     ///< Of a block.
};

/// H200, CUDA 13.0, zoo: chosen among walks of 7 to 56 rows, strips of 6 to 64, tiles of 6 to 150
/// KiB.
inline constexpr aims aims_sm90{
  .threads = 96, .rows_per_thread = 14, .strip_rows = 16, .shared_bytes = 72 * 1024};

/// Longest stretch of a row that one tile takes.
inline constexpr int most_columns = 640;

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr int even_part(std::int64_t whole, int most) noexcept
{
  std::int64_t const parts = geometry::divide_up(whole, most);
  return static_cast<int>(geometry::divide_up(whole, parts));
}

[[nodiscard]] constexpr int shared_bytes(conv2d_problem const& p, tile_shape tile,
                                         int element_bytes, int columns) noexcept
{
  tile_geometry const g = lay_out_tile(p, tile, element_bytes, window_overhang(p, columns));
  return 128 + (g.input_size + g.output_size) * element_bytes;
}

}  // namespace window_tiles

/// Chooses a tile: whole planes where several fit, else strips of full rows, else parts of rows. By
/// ranges, not by sizes.
[[nodiscard]] constexpr window_policy choose_window_policy(conv2d_problem const& p,
                                                           int element_bytes) noexcept
{
  using namespace window_tiles;
  constexpr aims aim  = aims_sm90;
  extent2 const out   = output_extent(p);
  int const columns   = window_columns(p.filter.height, element_bytes);
  auto const bytes_of = [&](tile_shape tile) {
    return shared_bytes(p, tile, element_bytes, columns);
  };

  window_policy policy{};
  policy.tile = {.planes  = 1,
                 .rows    = even_part(out.height, aim.strip_rows),
                 .columns = even_part(out.width, most_columns)};
  tile_shape const plane{.planes  = 1,
                         .rows    = static_cast<int>(std::min<std::int64_t>(out.height, 1 << 20)),
                         .columns = static_cast<int>(std::min<std::int64_t>(out.width, 1 << 20))};
  if (out.height * out.width <= 4096 && bytes_of(plane) <= aim.shared_bytes / 2) {
    policy.tile = plane;
  }
  while (policy.tile.rows > 1 && bytes_of(policy.tile) > aim.shared_bytes) {
    policy.tile.rows = (policy.tile.rows + 1) / 2;
  }

  policy.rows_per_thread     = even_part(policy.tile.rows, aim.rows_per_thread);
  auto const pieces_of_plane = [&] {
    return geometry::divide_up(policy.tile.columns, columns) *
           geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * p.multiplier;
  };
  if (policy.tile.columns > 256) { policy.rows_per_thread = policy.tile.rows; }
  if (policy.tile == plane) {
    std::int64_t const wanted = geometry::divide_up(aim.threads, pieces_of_plane());
    policy.tile.planes        = static_cast<int>(std::min(wanted, p.batch * p.channels));
    while (policy.tile.planes > 1 && bytes_of(policy.tile) > aim.shared_bytes / 2) {
      --policy.tile.planes;
    }
  }
  std::int64_t const pieces = pieces_of_plane() * policy.tile.planes;
  policy.threads =
    static_cast<int>(std::min<std::int64_t>(geometry::divide_up(pieces, 32) * 32, window_threads));
  return policy;
}

}  // namespace dwconv
