// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// How long a launch of the window family takes with a tile, as far as the tile decides it: a guess
/// to compare tiles by.
///
/// What a warp issues, what memory moves and how long a block lives are counted, and the longest of
/// the three is waited for. The weights were fitted to 13000 measured tiles of 60 float shapes on an
/// H200 with CUDA 13.0; the tile of the least cost took 4 % longer than the best, in the mean over
/// the shapes (docs/tuning.md).
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

  /// In cycles. Worked out only as far as it takes to see that it is not less than `least`.
  [[nodiscard]] constexpr double of(window_policy const& policy, double least) const noexcept
  {
    tile_shape const& tile = policy.tile;
    auto const c           = geometry::measure_chunk(p_, tile, element_bytes_,
                                                     window_overhang(p_, policy.piece.columns));
    bool const one         = tile.steps >= live_ - 1 + tile.rows;
    std::int64_t const strips = geometry::divide_up(out_.height, tile.rows);
    std::int64_t const across = geometry::divide_up(tile.columns, policy.piece.columns);
    std::int64_t const down   = geometry::divide_up(tile.rows, policy.rows_per_thread);
    std::int64_t const blocks = geometry::divide_up(planes_, tile.planes) * strips *
                                geometry::divide_up(out_.width, tile.columns);
    std::int64_t const chunks = geometry::divide_up(live_ - 1 + tile.rows, tile.steps);
    auto const warps          = static_cast<double>(
      geometry::divide_up(across * down * tile.planes, lanes));

    std::int64_t const bytes =
      128 + (c.input_size + c.output_size) * (one ? 1 : tile_stages) * element_bytes_;
    int const of_registers =
      window_blocks(p_.filter, p_.stride, policy.piece, element_bytes_) * window_threads / lanes;
    auto const resident = static_cast<double>(std::clamp<std::int64_t>(
      std::min(static_cast<std::int64_t>(of_registers / warps), shared_bytes_ / (bytes + 1024)), 1,
      32));

    double const steps = policy.piece.rows > 0
                           ? static_cast<double>(std::min(policy.piece.rows, policy.rows_per_thread))
                           : static_cast<double>(policy.rows_per_thread + live_ - 1) -
                               static_cast<double>(p_.pad.top + p_.pad.bottom) /
                                 static_cast<double>(p_.stride.height * strips * down);
    double const slots = resident * multiprocessors_;
    double const full  = static_cast<double>(blocks) / slots;
    double const whole = static_cast<double>(static_cast<std::int64_t>(full));
    double const waves = full <= 1 ? 1 : whole + (full > whole ? last_wave + (1 - last_wave) * (full - whole) : 0);

    double const rows    = static_cast<double>(std::min((tile.rows - 1) * p_.stride.height + p_.filter.height, p_.input.height));
    double const halo    = strips > 1 ? rows / static_cast<double>(tile.rows * p_.stride.height) - 1 : 0;
    double const moved   = static_cast<double>((p_.batch * p_.channels * p_.input.height * p_.input.width +
                                              planes_ * out_.height * out_.width) *
                                             element_bytes_);
    double const memory  = moved * (1 + reread * halo) / (bytes_a_cycle * multiprocessors_);
    auto const in_chunks = static_cast<double>(chunks);
    double const life    = (block_life + chunk_life * in_chunks + step_life * steps +
                         warp_life * (warps - 1)) * waves;

    auto const issued = [&](double conflicts) {
      double const taps  = static_cast<double>(p_.filter.height * p_.filter.width * policy.piece.columns) *
                          (element_bytes_ == 8 ? 2 : 1);
      double const reads = static_cast<double>(window_reach(policy.piece.columns, p_.stride.width, p_.filter.width)) *
                           (element_bytes_ == 2 ? 2 : 1) * (1 + conflict * (conflicts - 1));
      double const walk =
        policy.piece.rows > 0
          ? steps * (tile_tap * taps + tile_row) + tile_start +
              read * reads * static_cast<double>((policy.piece.rows - 1) * p_.stride.height + p_.filter.height)
          : steps * (tap * taps + read * reads * static_cast<double>(p_.stride.height));
      bool const rows_apart = tile.columns < out_.width;
      double const runs     = c.whole_planes ? 1
                              : rows_apart   ? (one ? rows : static_cast<double>(tile.steps * p_.stride.height))
                                             : tile.planes;
      std::int64_t const piece = copy_bytes / element_bytes_;
      bool const ragged =
        !c.whole_planes && (rows_apart ? p_.input.width % piece != 0 || out_.width % piece != 0
                                       : runs > 1 && (p_.input.height * p_.input.width % piece != 0 ||
                                                      out_.height * out_.width % piece != 0));
      double const each = walk + block_start +
                          in_chunks * (chunk_start + run_start * runs * (ragged ? ragged_run : 1) / warps +
                                       warp_wait * (warps - 1));
      double const share =
        full <= 1 ? static_cast<double>(geometry::divide_up(blocks, multiprocessors_)) * warps / schedulers
                  : resident * warps / schedulers;
      return each * std::max(share, least_share) * waves;
    };
    auto const together = [&](double issue) {
      double const longest = std::max({issue, memory, life});
      return longest + overlap_lost * (issue + memory + life - longest);
    };
    double const least_here = together(issued(1));
    if (least_here >= least) { return least_here; }
    return together(issued(conflicts_of(policy, c, across, down)));
  }

 private:
  static constexpr int lanes         = 32;
  static constexpr double schedulers = 4;
  // Cycles of a scheduler: for a multiply-add, an element read, and so on.
  static constexpr double tap = 1.15, read = 0.8, tile_tap = 0.5, tile_row = 14, tile_start = 670;
  static constexpr double chunk_start = 190, run_start = 27, ragged_run = 3.5, warp_wait = 55,
                          block_start = 40, conflict = 0.36;
  // Warps of a scheduler below which it waits for them.
  static constexpr double least_share = 2.5;
  // Cycles that a block lives, whatever else runs.
  static constexpr double block_life = 1900, chunk_life = 760, step_life = 34, warp_life = 210;
  static constexpr double bytes_a_cycle = 16.5, reread = 0.1;
  // Of a last wave that is not full; of the lesser two of issuing, moving and living.
  static constexpr double last_wave = 0.65, overlap_lost = 0.26;

  /// Most threads of the first warp that meet in one bank of shared memory.
  [[nodiscard]] constexpr double conflicts_of(window_policy const& policy,
                                              geometry::chunk_elements const& c, std::int64_t across,
                                              std::int64_t down) const noexcept
  {
    int met[32]{};
    int most       = 1;
    int const part = element_bytes_ == 8 ? lanes / 2 : lanes;
    std::int64_t const column = policy.piece.columns * p_.stride.width;
    std::int64_t const row    = policy.rows_per_thread * p_.stride.height * c.input_pitch;
    std::int64_t a = 0, d = 0, plane = 0;
    for (int lane = 0; lane < part && plane < policy.tile.planes; ++lane) {
      if (plane % p_.multiplier == 0) {
        std::int64_t const at = (a * column + d * row + plane / p_.multiplier * c.input_plane) * element_bytes_ / 4;
        most = std::max(most, ++met[at % 32]);
      }
      if (++a == across) { a = 0, ++d; }
      if (d == down) { d = 0, ++plane; }
    }
    return most;
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
