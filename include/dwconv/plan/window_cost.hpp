// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/plan/window_room.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// How long a launch of the window family takes with a tile, as far as the tile decides it: a guess
/// to compare tiles by.
///
/// What a warp issues, what memory moves and how long a block lives are counted, and the longest of
/// the three is waited for. For kernels that walk, and are bound by what they issue: the weights
/// were fitted to 600 measured tiles of ten shapes with 7x7 filters in float, on an H200 with CUDA
/// 13.0. Of each shape's tiles the one of the least cost took 2 % longer than the best
/// (docs/tuning.md).
class window_cost {
 public:
  constexpr window_cost(conv2d_problem const& p, int element_bytes,
                        device_facts const& device) noexcept
    : p_{p},
      out_{output_extent(p)},
      element_bytes_{element_bytes},
      multiprocessors_{std::max(device.multiprocessors, 1)},
      shared_bytes_{device.shared_bytes_per_sm},
      live_{geometry::live_rows(p)},
      planes_{p.batch * p.output_channels()}
  {}

  /// Whether fewer blocks share a multiprocessor's memory than its registers.
  [[nodiscard]] constexpr bool crowded(window_policy const& policy) const noexcept
  {
    std::int64_t const warps = geometry::divide_up(window_tiles::threads_of(policy), lanes);
    return blocks_beside(
             window_tiles::shared_bytes(p_, policy.tile, element_bytes_, policy.piece.columns)) *
             warps <
           warps_of_registers(policy) * 3 / 4;
  }

  /// In cycles.
  [[nodiscard]] constexpr double of(window_policy const& policy) const noexcept
  {
    tile_shape const& tile = policy.tile;
    auto const c =
      geometry::measure_chunk(p_, tile, element_bytes_, window_overhang(p_, policy.piece.columns));
    bool const one            = tile.steps >= live_ - 1 + tile.rows;
    std::int64_t const strips = geometry::divide_up(out_.height, tile.rows);
    std::int64_t const across = geometry::divide_up(tile.columns, policy.piece.columns);
    std::int64_t const down   = geometry::divide_up(tile.rows, policy.rows_per_thread);
    std::int64_t const blocks = geometry::divide_up(planes_, tile.planes) * strips *
                                geometry::divide_up(out_.width, tile.columns);
    std::int64_t const chunks = geometry::divide_up(live_ - 1 + tile.rows, tile.steps);
    auto const warps = static_cast<double>(geometry::divide_up(across * down * tile.planes, lanes));

    std::int64_t const bytes =
      of_barriers + (c.input_size + c.output_size) * (one ? 1 : tile_stages) * element_bytes_;
    auto const resident = static_cast<double>(std::clamp<std::int64_t>(
      std::min(static_cast<std::int64_t>(warps_of_registers(policy) / warps), blocks_beside(bytes)),
      1, 32));

    // Those with a row of the image.
    double const steps = static_cast<double>(policy.rows_per_thread + live_ - 1) -
                         static_cast<double>(p_.pad.top + p_.pad.bottom) /
                           static_cast<double>(p_.stride.height * strips * down);
    double const slots = resident * multiprocessors_;
    double const full  = static_cast<double>(blocks) / slots;
    double const whole = static_cast<double>(static_cast<std::int64_t>(full));
    double const waves =
      full <= 1 ? 1 : whole + (full > whole ? last_wave + (1 - last_wave) * (full - whole) : 0);

    double const rows = static_cast<double>(
      std::min((tile.rows - 1) * p_.stride.height + p_.filter.height, p_.input.height));
    double const halo =
      strips > 1 ? rows / static_cast<double>(tile.rows * p_.stride.height) - 1 : 0;
    double const moved =
      static_cast<double>((p_.batch * p_.channels * p_.input.height * p_.input.width +
                           planes_ * out_.height * out_.width) *
                          element_bytes_);
    double const memory  = moved * (1 + reread * halo) / (bytes_a_cycle * multiprocessors_);
    auto const in_chunks = static_cast<double>(chunks);
    double const life    = (block_life + chunk_life * in_chunks + warp_life * (warps - 1)) * waves;

    double const taps =
      static_cast<double>(p_.filter.height * p_.filter.width * policy.piece.columns);
    bool const rows_apart        = tile.columns < out_.width;
    double const runs            = c.whole_planes ? 1
                                   : rows_apart
                                     ? (one ? rows : static_cast<double>(tile.steps * p_.stride.height))
                                     : tile.planes;
    std::int64_t const piece     = copy_bytes / element_bytes_;
    std::int64_t const apart     = rows_apart ? p_.input.width : p_.input.height * p_.input.width;
    std::int64_t const out_apart = rows_apart ? out_.width : out_.height * out_.width;
    bool const ragged =
      apart % piece != 0 || out_apart % piece != 0 || (rows_apart && tile.columns % piece != 0);
    double const each =
      steps * tap * taps + block_start +
      in_chunks * (chunk_start + run_start * runs * (ragged ? ragged_run : 1) / warps +
                   warp_wait * (warps - 1));
    double const share =
      full <= 1
        ? static_cast<double>(geometry::divide_up(blocks, multiprocessors_)) * warps / schedulers
        : resident * warps / schedulers;
    double const issue   = each * std::max(share, least_share) * waves;
    double const longest = std::max({issue, memory, life});
    return longest + overlap_lost * (issue + memory + life - longest);
  }

 private:
  static constexpr int lanes         = 32;
  static constexpr int of_barriers   = 128;   // bytes of a block,
  static constexpr int of_system     = 1024;  // and those it never sees
  static constexpr double schedulers = 4;
  // Cycles of a scheduler: for a multiply-add with all that comes with it, for a block, a chunk, a
  // copy, and for each further warp that a chunk waits for.
  static constexpr double tap         = 1.04;
  static constexpr double block_start = 720, chunk_start = 63, run_start = 56, ragged_run = 4.4,
                          warp_wait = 61;
  // Warps of a scheduler below which it waits for them.
  static constexpr double least_share = 2.58;
  // Cycles that a block lives, whatever else runs.
  static constexpr double block_life = 11200, chunk_life = 173, warp_life = 813;
  // Bytes that memory moves for a multiprocessor in a cycle, and what part of rows read twice
  // costs.
  static constexpr double bytes_a_cycle = 24, reread = 0.17;
  // Of a last wave that is not full; of the lesser two of issuing, moving and living.
  static constexpr double last_wave = 0.68, overlap_lost = 0.51;

  /// Blocks of `bytes` each that a multiprocessor's memory holds,
  [[nodiscard]] constexpr std::int64_t blocks_beside(std::int64_t bytes) const noexcept
  {
    return shared_bytes_ / (bytes + of_system);
  }

  /// and warps that its registers hold.
  [[nodiscard]] constexpr int warps_of_registers(window_policy const& policy) const noexcept
  {
    return window_blocks(p_.filter, p_.stride, policy.piece, element_bytes_) * window_threads /
           lanes;
  }

  conv2d_problem const& p_;
  extent2 out_;
  int element_bytes_;
  int multiprocessors_;
  std::int64_t shared_bytes_;
  std::int64_t live_;
  std::int64_t planes_;
};

}  // namespace dwconv
