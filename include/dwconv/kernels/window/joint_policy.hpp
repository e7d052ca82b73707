// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/window/filter_policy.hpp>

namespace dwconv {

/// Blocks of the most threads that a multiprocessor's registers shall hold, in the kernel of both
/// gradients: sums of taps, the filter, rows of dy, a row of x and one of dx, and room to work.
[[nodiscard]] constexpr int window_joint_blocks(extent2 filter, int element_bytes) noexcept
{
  std::int64_t const columns = window_filter_columns(filter, element_bytes);
  std::int64_t const reach   = columns + filter.width - 1;
  std::int64_t const needed  = (element_bytes == 8 ? 2 : 1) * (2 * filter.height * filter.width +
                                                              filter.height * reach + 2 * columns) +
                              (element_bytes == 8 ? 48 : 64);
  return static_cast<int>(
    std::clamp<std::int64_t>(65536 / (window_filter_threads * ((needed + 7) / 8 * 8)), 1, 8));
}

/// Where a chunk of x and dy lies in shared memory, in elements; the same for every chunk of a
/// launch. Rows lie as in memory and as far from a 16-byte boundary. dx takes the place of x.
///
/// `policy.columns` are columns of x: a window of dy has those beside them that they meet.
struct window_joint_layout {
  bool whole_planes;  ///< A chunk has whole planes of each of its images, which follow each other;
  bool whole_rows;    ///< else a run of full rows; else a run a row.
  int slack;          ///< Readable elements before the first stage and after the last.
  std::int64_t x_pitch, x_run, x_size;  ///< From row to row, run to run, and in all.
  std::int64_t dy_pitch, dy_run, dy_size;

  constexpr window_joint_layout(conv2d_problem const& p, window_filter_policy const& policy,
                                int element_bytes) noexcept
  {
    extent2 const out      = output_extent(p);
    int const piece        = copy_bytes / element_bytes;
    std::int64_t const met = policy.columns + p.filter.width - 1;
    int const steps        = window_filter_walk{p}.steps();

    whole_rows   = policy.columns >= p.input.width;
    whole_planes = whole_rows && policy.strip >= steps && policy.steps >= policy.strip;
    slack        = geometry::round_up(
                     window_filter_columns(p.filter, element_bytes) + 2 * static_cast<int>(p.filter.width),
                     piece) +
            piece;

    auto const run = [&](std::int64_t elements) {
      return geometry::spread_planes(elements + 2 * piece, piece);
    };
    auto const pitch = [&](std::int64_t columns, std::int64_t width) {
      return whole_rows
               ? width
               : geometry::congruent_pitch(std::min(columns, width) + 2 * piece, width, piece);
    };
    x_pitch                    = pitch(policy.columns, p.input.width);
    dy_pitch                   = pitch(met, out.width);
    std::int64_t const x_rows  = std::min<std::int64_t>(policy.steps, p.input.height);
    std::int64_t const dy_rows = std::min<std::int64_t>(policy.steps, out.height);
    std::int64_t const planes  = policy.channels;
    x_run                      = whole_planes ? run(planes * p.input.height * p.input.width)
                                 : whole_rows ? run(x_rows * x_pitch)
                                              : x_pitch;
    dy_run                     = whole_planes ? run(planes * out.height * out.width)
                                 : whole_rows ? run(dy_rows * dy_pitch)
                                              : dy_pitch;
    x_size                     = whole_rows ? policy.images * x_run : run(x_rows * x_pitch);
    dy_size                    = whole_rows ? policy.images * dy_run : run(dy_rows * dy_pitch);
  }

  /// Shared memory of a block. What its threads have summed takes the place of the stages.
  [[nodiscard]] constexpr std::int64_t bytes(conv2d_problem const& p,
                                             window_filter_policy const& policy,
                                             int element_bytes) const noexcept
  {
    std::int64_t const staged = (2 * slack + policy.stages * (x_size + dy_size)) * element_bytes;
    std::int64_t const sums =
      p.filter.height * p.filter.width * policy.threads * (element_bytes == 8 ? 8 : 4);
    return window_filter_layout::barrier_bytes + std::max(staged, sums);
  }
};

/// As `window_filter_splits`, with windows of columns of x.
struct window_joint_splits {
  std::int64_t windows, strips, groups, parts;

  constexpr window_joint_splits(conv2d_problem const& p,
                                window_filter_policy const& policy) noexcept
    : windows{geometry::divide_up(p.input.width, policy.columns)},
      strips{geometry::divide_up(window_filter_walk{p}.steps(), policy.strip)},
      groups{geometry::divide_up(p.channels, policy.channels)},
      parts{geometry::divide_up(p.batch, policy.part)}
  {}

  [[nodiscard]] constexpr std::int64_t splits() const noexcept { return windows * strips * parts; }
  [[nodiscard]] constexpr std::int64_t blocks() const noexcept { return splits() * groups; }
};

}  // namespace dwconv
