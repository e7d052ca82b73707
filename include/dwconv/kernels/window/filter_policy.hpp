// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// How one block of the window family sums the gradient of some filters.
///
/// It takes `channels` output channels, one strip of one window of columns of their planes, and
/// `part` images, of which `images` at a time pass through shared memory in chunks of `steps`.
struct window_filter_policy {
  int channels  = 1;      ///< More than one only where a chunk has whole planes.
  int part      = 1;      ///< Images of a block,
  int images    = 1;      ///< and those staged side by side.
  int columns   = 1;      ///< Of dy, of a window.
  int strip     = 1;      ///< Steps of a strip: of each the x of its rows, with all that they meet.
  int steps     = 1;      ///< Of a chunk.
  int down      = 1;      ///< Threads below each other, where a chunk has whole planes.
  int stages    = 2;      ///< Chunks staged or on their way at a time.
  bool passing  = false;  ///< What is read does not take the place of what others left in L2.
  int threads   = 32;
  int sum_lanes = 1;  ///< Lanes, a power of two, that add up what a block's threads leave of a tap.
  friend constexpr bool operator==(window_filter_policy const&,
                                   window_filter_policy const&) = default;
};

/// Most chunks that are staged or on their way.
inline constexpr int window_filter_most_stages = 3;

/// Most threads of a block, which bounds the registers a thread may have.
inline constexpr int window_filter_threads = 128;

/// Neighbouring columns of dy that a thread keeps. Odd numbers of words: neighbouring threads meet
/// different banks.
[[nodiscard]] constexpr int window_filter_columns(extent2 filter, int element_bytes) noexcept
{
  bool const flat = filter.height == 1;
  if (element_bytes == 8) { return flat ? 7 : 3; }
  if (element_bytes == 2) { return flat ? 22 : 6; }
  return flat ? 15 : 7;
}

/// Steps after which a row of dy returns to the registers it came to: code for so many steps stands
/// in the loop. One where that were too much code; then rows move on, a copy an element and step.
[[nodiscard]] constexpr int window_filter_turns(extent2 filter, extent2 stride) noexcept
{
  bool const large = filter.height * filter.width > 25 && filter.height > 5;
  return large ? 1 : static_cast<int>((filter.height + stride.height - 1) / stride.height);
}

/// Elements of a row of x that a thread reads: neighbours, or where the filter is dilated as many
/// for each of its taps.
[[nodiscard]] constexpr int window_filter_reach(extent2 filter, extent2 stride, int columns,
                                                bool dilated) noexcept
{
  return static_cast<int>(dilated ? columns * filter.width
                                  : (columns - 1) * stride.width + filter.width);
}

/// Blocks of the most threads that a multiprocessor's registers shall hold: sums, rows of dy, a row
/// of x, masks, and room to work.
[[nodiscard]] constexpr int window_filter_blocks(extent2 filter, extent2 stride, int element_bytes,
                                                 bool dilated = false) noexcept
{
  int const columns         = window_filter_columns(filter, element_bytes);
  std::int64_t const live   = (filter.height + stride.height - 1) / stride.height;
  std::int64_t const reach  = window_filter_reach(filter, stride, columns, dilated);
  std::int64_t const words  = element_bytes == 8 ? 2 : 1;
  bool const flat           = filter.height == 1;  // without masks
  int const room            = element_bytes == 8                         ? 80
                              : flat                                     ? 40
                              : window_filter_turns(filter, stride) == 1 ? 28
                                                                         : 56;
  std::int64_t const needed = words * (filter.height * filter.width + live * columns + reach) +
                              (flat ? 0 : reach + columns) + room;
  return static_cast<int>(
    std::clamp<std::int64_t>(65536 / (window_filter_threads * ((needed + 7) / 8 * 8)), 1, 8));
}

/// The walk down a plane. In step t row t of dy begins to meet x, and `stride` rows of x pass, the
/// first of them t * stride - pad: each meets the last `live` rows of dy.
struct window_filter_walk {
  int live;
  int first;  ///< Step that first has x,
  int end;    ///< and one past the last.

  explicit constexpr window_filter_walk(conv2d_problem const& p) noexcept
    : live{static_cast<int>(geometry::live_rows(p))},
      first{static_cast<int>(p.pad.top / p.stride.height)},
      end{static_cast<int>(std::min((p.input.height - 1 + p.pad.top) / p.stride.height + 1,
                                    output_extent(p).height + live - 1))}
  {}

  [[nodiscard]] constexpr int steps() const noexcept { return end - first; }
};

/// The rows of a dilated filter: those a dilation apart make phases, and each is walked in segments
/// of so many rows of x, a few more than the filter is high.
struct window_filter_phases {
  int phases;
  int segments;
  int segment;

  explicit constexpr window_filter_phases(conv2d_problem const& p) noexcept
    : phases{static_cast<int>(p.dilation.height)}
  {
    constexpr int aimed     = 7;
    std::int64_t const rows = geometry::divide_up(p.input.height, p.dilation.height);
    segments                = static_cast<int>(geometry::divide_up(rows, aimed));
    segment                 = static_cast<int>(geometry::divide_up(rows, segments));
  }

  [[nodiscard]] constexpr int walks() const noexcept { return phases * segments; }
};

/// Where a chunk of x and dy lies in shared memory, in elements; the same for every chunk of a
/// launch. Rows lie as in memory and as far from a 16-byte boundary.
struct window_filter_layout {
  bool whole_planes;  ///< A chunk has whole planes of each of its images, which follow each other;
  bool whole_rows;    ///< else a run of full rows; else a run a row.
  int slack;          ///< Readable elements before the first stage and after the last.
  std::int64_t x_pitch, x_run, x_size;  ///< From row to row, run to run, and in all.
  std::int64_t dy_pitch, dy_run, dy_size;

  constexpr window_filter_layout(conv2d_problem const& p, window_filter_policy const& policy,
                                 int element_bytes) noexcept
  {
    extent2 const out = output_extent(p);
    window_filter_walk const walk{p};
    int const piece        = copy_bytes / element_bytes;
    std::int64_t const m   = p.multiplier;
    std::int64_t const g   = policy.channels;
    std::int64_t const xs  = m == 1 ? g : (g - 1 + m - 1) / m + 1;  // planes of x under a group
    std::int64_t const met = (policy.columns - 1) * p.stride.width + p.filter.width;

    whole_rows   = policy.columns >= out.width;
    whole_planes = whole_rows && policy.strip >= walk.steps() && policy.steps >= policy.strip;
    std::int64_t const reach =
      (window_filter_columns(p.filter, element_bytes) - 1) * p.stride.width +
      (p.filter.width - 1) * p.dilation.width + 1;
    slack = geometry::round_up(static_cast<int>(reach + std::max(p.pad.left, p.pad.right)), piece) +
            piece;

    auto const run = [&](std::int64_t elements) {
      return geometry::spread_planes(elements + 2 * piece, piece);
    };
    x_pitch  = whole_rows ? p.input.width
                          : geometry::congruent_pitch(std::min(met, p.input.width) + 2 * piece,
                                                      p.input.width, piece);
    dy_pitch = whole_rows ? out.width
                          : geometry::congruent_pitch(policy.columns + 2 * piece, out.width, piece);
    std::int64_t const x_rows =
      std::min<std::int64_t>(std::int64_t{policy.steps} * p.stride.height, p.input.height);
    std::int64_t const dy_rows = std::min<std::int64_t>(policy.steps, out.height);
    x_run                      = whole_planes ? run(xs * p.input.height * p.input.width)
                                 : whole_rows ? run(x_rows * x_pitch)
                                              : x_pitch;
    dy_run                     = whole_planes ? run(g * out.height * out.width)
                                 : whole_rows ? run(dy_rows * dy_pitch)
                                              : dy_pitch;
    x_size                     = whole_rows ? policy.images * x_run : run(x_rows * x_pitch);
    dy_size                    = whole_rows ? policy.images * dy_run : run(dy_rows * dy_pitch);
  }

  /// Bytes before the stages, for barriers.
  static constexpr int barrier_bytes = 128;

  /// Shared memory of a block. What its threads have summed takes the place of the stages.
  [[nodiscard]] constexpr std::int64_t bytes(conv2d_problem const& p,
                                             window_filter_policy const& policy,
                                             int element_bytes) const noexcept
  {
    std::int64_t const staged = (2 * slack + policy.stages * (x_size + dy_size)) * element_bytes;
    std::int64_t const sums =
      p.filter.height * p.filter.width * policy.threads * (element_bytes == 8 ? 8 : 4);
    return barrier_bytes + std::max(staged, sums);
  }
};

/// Parts that the sum over the batch and the planes is taken apart into, each some blocks'.
struct window_filter_splits {
  std::int64_t windows, strips, groups, parts;

  constexpr window_filter_splits(conv2d_problem const& p,
                                 window_filter_policy const& policy) noexcept
    : windows{geometry::divide_up(output_extent(p).width, policy.columns)},
      strips{geometry::divide_up(window_filter_walk{p}.steps(), policy.strip)},
      groups{geometry::divide_up(p.output_channels(), policy.channels)},
      parts{geometry::divide_up(p.batch, policy.part)}
  {}

  [[nodiscard]] constexpr std::int64_t splits() const noexcept { return windows * strips * parts; }
  [[nodiscard]] constexpr std::int64_t blocks() const noexcept { return splits() * groups; }
};

}  // namespace dwconv
