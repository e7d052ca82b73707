// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/runtime_policy.hpp>
#include <dwconv/plan/window_tiles.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

namespace runtime_window_tiles {

/// A problem as the kernel for it sees it.
struct view {
  conv2d_problem const& p;
  int element_bytes;
  extent2 out;
  extent2 span;
  runtime_window_walk walk;
  int number;  ///< Of the kernel.
  runtime_window_size size;
  runtime_window_row row;
  runtime_window_filter filter;
  std::int64_t overhang;

  constexpr view(conv2d_problem const& problem, int bytes) noexcept
    : p{problem},
      element_bytes{bytes},
      out{output_extent(problem)},
      span{filter_span(problem)},
      walk{problem},
      number{runtime_window_number(problem, bytes)},
      size{runtime_window_size_of(number, bytes)},
      row{problem, size.taps},
      filter{walk, row},
      overhang{runtime_window_overhang(problem, size)}
  {}
};

/// Of the tile's area and its filters.
[[nodiscard]] constexpr std::int64_t shared_bytes(view const& v, tile_shape const& tile) noexcept
{
  return 128 + tile_elements(v.p, tile, v.element_bytes, v.overhang) * v.element_bytes +
         std::int64_t{tile.planes} * v.filter.plane_pitch * (v.element_bytes == 8 ? 8 : 4);
}

/// Threads along a row of a tile.
[[nodiscard]] constexpr std::int64_t pieces_across(view const& v, std::int64_t columns) noexcept
{
  std::int64_t const residues = std::min<std::int64_t>(v.row.phases, columns);
  return residues * geometry::divide_up(geometry::divide_up(columns, residues), v.size.columns);
}

/// Rows of a tile that are one thread's at most.
[[nodiscard]] constexpr std::int64_t rows_of_residue(view const& v, std::int64_t rows) noexcept
{
  return geometry::divide_up(rows, std::min<std::int64_t>(v.walk.phases, rows));
}

/// Threads that have work in a tile.
[[nodiscard]] constexpr std::int64_t pieces_of(view const& v, window_policy const& policy) noexcept
{
  std::int64_t const residues = std::min<std::int64_t>(v.walk.phases, policy.tile.rows);
  return pieces_across(v, policy.tile.columns) * residues *
         geometry::divide_up(rows_of_residue(v, policy.tile.rows), policy.rows_per_thread) *
         policy.tile.planes;
}

/// Instructions of a thread in one step, but for what each step costs; a multiply-add of doubles
/// counts as two.
[[nodiscard]] constexpr double step_instructions(view const& v) noexcept
{
  constexpr double per_element = 3.75, half_element = 4.75, per_tap = 2, one_run = 6, of_runs = 60,
                   per_column = 0.4;
  bool const wide             = v.element_bytes == 8;
  double const taps           = v.row.run_taps;
  double const live           = v.walk.live;
  double const read =
    (v.size.columns + taps - 1) * (v.element_bytes == 2 ? half_element : per_element);
  double const add = live * taps * v.size.columns * (wide ? 2 : 1) + live * taps / (wide ? 2 : 4);
  int const runs   = v.walk.step_rows * v.row.runs;
  return runs * (read + add + per_tap * taps + (runs > 1 ? of_runs : one_run)) +
         per_column * v.size.columns;
}

/// Rows of x under a window of columns, which lanes of one warp copy, at a time.
inline constexpr std::int64_t most_runs = 32;

/// Whether a tile can be computed at all.
[[nodiscard]] constexpr bool possible(view const& v, window_policy const& policy,
                                      device_facts const& device) noexcept
{
  tile_shape const& tile = policy.tile;
  bool const one_chunk   = tile.steps >= geometry::steps_for(v.p, tile.rows);
  std::int64_t const runs =
    one_chunk
      ? std::max((tile.rows - 1) * v.p.stride.height + v.span.height, std::int64_t{tile.rows})
      : tile.steps * v.p.stride.height;
  return pieces_of(v, policy) <= runtime_window_threads &&
         (tile.columns >= v.out.width || runs <= most_runs) &&
         shared_bytes(v, tile) <= device.shared_bytes_per_block;
}

/// A tile that is possible if any is: few outputs, and few rows of x at a time.
[[nodiscard]] constexpr window_policy least_tile(view const& v) noexcept
{
  window_policy policy{};
  policy.piece           = {v.size.columns, 0};
  policy.number          = v.number;
  policy.rows_per_thread = 1;
  policy.tile            = {.planes  = 1,
                            .rows    = 1,
                            .columns = std::min(static_cast<int>(v.out.width), v.size.columns),
                            .steps   = static_cast<int>(geometry::steps_for(v.p, 1))};
  if (policy.tile.columns < v.out.width && v.span.height > most_runs) {
    policy.tile.steps = static_cast<int>(most_runs / v.p.stride.height);
  }
  return policy;
}

/// A tile, and what its cost follows from.
struct candidate {
  window_policy policy;
  extent2 under;        ///< Rows and columns of x under it.
  std::int64_t pieces;  ///< Threads of one plane that have work.
  std::int64_t strips;  ///< Tiles of one plane.
  std::int64_t groups;  ///< Of planes.
  std::int64_t chunks;
  double shared_bytes;  ///< Roughly.
};

/// What a launch takes with a tile, in cycles of a multiprocessor, squared; for comparisons only.
/// The numbers were fitted to 2000 times of tiles of every kind, in three types, on an H200 with
/// CUDA 13.0: of each shape's tiles the one of least cost took 4 % longer than the quickest.
[[nodiscard]] constexpr double cost(view const& v, candidate const& c, double instructions,
                                    device_facts const& device) noexcept
{
  constexpr double bytes_a_cycle = 43, bytes_moved_a_cycle = 23, instructions_a_cycle = 4;
  constexpr double start_cycles = 2900, chunk_cycles = 2600, chunk_latency = 400, run_cycles = 49,
                   cycles_an_instruction = 2.4;
  constexpr double block_instructions = 80, block_chunk_instructions = 130, warp_instructions = 330,
                   warp_chunk_instructions = 90;

  tile_shape const& tile = c.policy.tile;
  auto const whole       = [](double value) {
    return static_cast<double>(static_cast<std::int64_t>(value));
  };
  auto const warps =
    whole(static_cast<double>(c.pieces * tile.planes + window_tiles::warp_size - 1) /
          window_tiles::warp_size);
  double const of_registers =
    std::max(v.size.blocks, 2) * runtime_window_threads / (warps * window_tiles::warp_size);
  double const of_memory = device.shared_bytes_per_sm / c.shared_bytes;
  double const resident  = std::clamp(whole(std::min(of_registers, of_memory)), 1.0, 32.0);
  auto const steps       = static_cast<double>(c.policy.rows_per_thread + v.walk.live - 1);

  // Rows and columns that neighbours read as well come from the L2 cache.
  std::int64_t const own = std::min(tile.rows * v.p.stride.height, c.under.height) *
                           std::min(tile.columns * v.p.stride.width, c.under.width);
  double const plane_bytes = static_cast<double>(tile.planes) * v.element_bytes;
  double const out         = static_cast<double>(tile.rows) * tile.columns * plane_bytes;
  double const of_x        = plane_bytes / static_cast<double>(v.p.multiplier);
  double const moved =
    (static_cast<double>(c.under.height * c.under.width) * of_x + out) / bytes_moved_a_cycle;
  double const memory = (static_cast<double>(own) * of_x + out) / bytes_a_cycle;

  auto const chunks = static_cast<double>(c.chunks);
  double const issue =
    (block_instructions + chunks * block_chunk_instructions +
     warps * (warp_instructions + chunks * warp_chunk_instructions + steps * instructions)) /
    instructions_a_cycle;
  double const walk =
    steps * (instructions * cycles_an_instruction + run_cycles * v.walk.step_rows * v.row.runs);
  double const life =
    start_cycles + (c.chunks > 1
                      ? std::max(walk, moved + chunk_latency * chunks) + chunk_cycles * chunks
                      : walk + moved);

  // Blocks of a multiprocessor, and of that which has most; and how often it is filled.
  auto const whole_up = [&](double value) {
    return whole(value) < value ? whole(value) + 1 : value;
  };
  double const each =
    static_cast<double>(c.strips * c.groups) / std::max(device.multiprocessors, 1);
  double const memory_cycles = memory * std::max(each, 1.0);
  double const issue_cycles  = issue * std::max(whole_up(each), 1.0);
  double const wait_cycles   = life * std::max(whole_up(each / resident), 1.0);
  return memory_cycles * memory_cycles + issue_cycles * issue_cycles + wait_cycles * wait_cycles;
}

/// Looks for the tile of least cost among some of every kind.
class tile_search {
 public:
  constexpr tile_search(view const& v, device_facts const& device) noexcept
    : v_{v},
      device_{device},
      step_instructions_{step_instructions(v)},
      planes_{std::max<std::int64_t>(v.p.batch * v.p.output_channels(), 1)},
      best_{least_tile(v)},
      tried_{}
  {
    tried_.policy            = best_;
    std::int64_t const all   = pieces_across(v, v.out.width);
    std::int64_t const lines = std::min<std::int64_t>(v.walk.phases, v.out.height);
    std::int64_t parts       = geometry::divide_up(all, most_across);
    for (int i = 0; i < 8; ++i, parts *= 2) {
      // Whole groups of threads, but for the last.
      std::int64_t const group = std::int64_t{v.size.columns} * v.row.phases;
      std::int64_t const part  = geometry::divide_up(v.out.width, parts);
      std::int64_t const columns =
        std::min(part < group ? part : geometry::divide_up(part, group) * group, v.out.width);
      across_ = pieces_across(v, columns);
      if (i > 0 && across_ * lines < window_tiles::warp_size) { break; }
      tried_.policy.tile.columns = static_cast<int>(columns);
      tried_.under.width =
        std::min((columns - 1) * v.p.stride.width + v.span.width, v.p.input.width);
      column_tiles_ = geometry::divide_up(v.out.width, columns);
      try_rows();
      // Two widths whose threads fit with all rows of a residue.
      if (i > 0 && across_ * lines <= runtime_window_threads / 2) { break; }
    }
  }

  [[nodiscard]] constexpr window_policy best() const noexcept { return best_; }

 private:
  /// Threads along a row of a tile.
  static constexpr std::int64_t most_across = 128;
  /// Bytes of a tile in one chunk, so that several share a multiprocessor,
  static constexpr double most_bytes = 76 * 1024;
  /// of one in several, so that two do,
  static constexpr double most_chunked_bytes = 110 * 1024;
  /// and the fewest of any but the last tile that is tried.
  static constexpr double least_bytes = 6 * 1024;
  /// Rows of one thread of such a tile, if it has more of them.
  static constexpr std::int64_t longest_walk = 32;

  constexpr void try_rows() noexcept
  {
    // All rows, a half of them, a third, a quarter, a sixth, an eighth, and so on.
    for (std::int64_t parts = 1, before = 0; parts <= v_.out.height;
         parts += parts == 1                   ? 1
                  : (parts & (parts - 1)) == 0 ? parts / 2
                                               : parts / 3) {
      std::int64_t const rows = geometry::divide_up(v_.out.height, parts);
      if (rows == before) { continue; }
      before                  = rows;
      tried_.policy.tile.rows = static_cast<int>(rows);
      tried_.under.height =
        std::min((rows - 1) * v_.p.stride.height + v_.span.height, v_.p.input.height);
      tried_.strips            = column_tiles_ * geometry::divide_up(v_.out.height, rows);
      std::int64_t const steps = geometry::steps_for(v_.p, rows);
      std::int64_t const own   = rows_of_residue(v_, rows);
      std::int64_t const lines = across_ * std::min<std::int64_t>(v_.walk.phases, rows);
      double const bytes       = bytes_of(tried_.under.height, rows);
      if (bytes <= most_bytes) {
        // In one chunk, each thread all rows there are, a half of them, and so on.
        tried_.policy.tile.steps = static_cast<int>(steps);
        tried_.chunks            = 1;
        for (std::int64_t n = 1; n <= own && lines * n <= runtime_window_threads; n *= 2) {
          std::int64_t const walk = geometry::divide_up(own, n);
          if (walk > longest_walk && own > walk) { continue; }
          tried_.policy.rows_per_thread = static_cast<int>(walk);
          try_planes(lines * geometry::divide_up(own, walk), bytes);
        }
      }
      // In several, each of some steps of every thread.
      tried_.policy.rows_per_thread = static_cast<int>(own);
      for (std::int64_t each : {4, 8}) {
        std::int64_t const chunk = chunk_of(each);
        if (chunk * 3 > steps) { break; }
        tried_.policy.tile.steps = static_cast<int>(chunk);
        tried_.chunks            = geometry::divide_up(steps, chunk);
        try_planes(lines, 2 * bytes_of(chunk * v_.p.stride.height, chunk));
      }
      if (bytes < least_bytes && rows > 1 && found_) { break; }
    }
  }

  /// Steps of a chunk that has `each` of every thread, or as many as a warp has lanes to copy the
  /// rows of a window of columns; in whole pieces of a copy where that is possible.
  [[nodiscard]] constexpr std::int64_t chunk_of(std::int64_t each) const noexcept
  {
    std::int64_t const piece  = copy_bytes / v_.element_bytes;
    std::int64_t const wanted = geometry::divide_up(each * v_.walk.phases, piece) * piece;
    std::int64_t const most   = most_runs / v_.p.stride.height;
    bool const whole_rows     = tried_.policy.tile.columns == v_.out.width;
    return whole_rows || wanted <= most ? wanted : most >= piece ? most / piece * piece : most;
  }

  /// Of shared memory that rows of one plane of x, and of y, take, roughly.
  [[nodiscard]] constexpr double bytes_of(std::int64_t input_rows, std::int64_t rows) const noexcept
  {
    constexpr std::int64_t apart = 8;
    return static_cast<double>(
      (input_rows * (tried_.under.width + apart) + rows * (tried_.policy.tile.columns + apart)) *
      v_.element_bytes);
  }

  /// One plane, or as many as fill some warps.
  constexpr void try_planes(std::int64_t pieces, double bytes) noexcept
  {
    tried_.pieces           = pieces;
    bool const joins        = tried_.policy.tile.columns == v_.out.width;
    std::int64_t const most = joins ? std::min(planes_, most_runs) : 1;
    std::int64_t before     = 0;
    for (std::int64_t warps = 1; warps <= 4; ++warps) {
      std::int64_t const lanes  = warps * window_tiles::warp_size;
      std::int64_t const planes = std::clamp<std::int64_t>(lanes / pieces, 1, most);
      if (planes == before) { continue; }
      before = planes;
      take(planes, bytes);
    }
  }

  constexpr void take(std::int64_t planes, double bytes) noexcept
  {
    constexpr double of_block = 2048;  // the system's, and round about the tile
    tried_.policy.tile.planes = static_cast<int>(planes);
    tried_.groups             = planes == 1 ? planes_ : geometry::divide_up(planes_, planes);
    tried_.shared_bytes       = bytes * static_cast<double>(planes) + of_block;
    double const here         = cost(v_, tried_, step_instructions_, device_);
    if (found_ && (here >= least_ || tried_.shared_bytes > most_chunked_bytes)) { return; }
    if (!possible(v_, tried_.policy, device_)) { return; }
    best_ = tried_.policy, least_ = here, found_ = true;
  }

  view const& v_;
  device_facts const& device_;
  double step_instructions_;
  std::int64_t planes_;
  std::int64_t across_       = 1;
  std::int64_t column_tiles_ = 1;
  window_policy best_;
  candidate tried_;
  double least_ = 0;
  bool found_   = false;
};

}  // namespace runtime_window_tiles

/// Chooses a tile of the window kernel for filters known at run time: of some tiles of every kind
/// the one of the least cost. The problem's planes have extents of at most 2^24, its filter at most
/// `runtime_window_most_live` rows of sums.
[[nodiscard]] constexpr window_policy choose_runtime_window_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  using namespace runtime_window_tiles;
  view const v{p, element_bytes};
  window_policy policy = tile_search{v, device}.best();
  policy.threads =
    static_cast<int>(geometry::divide_up(pieces_of(v, policy), window_tiles::warp_size)) *
    window_tiles::warp_size;
  return policy;
}

namespace runtime_window_tiles {

/// Instructions that the kernel for any filter spends on an element of x,
inline constexpr double any_per_element = 60;
/// and on a tap of an output.
inline constexpr double any_per_tap = 1.4;
/// Filters of so few taps wait for memory in any case.
inline constexpr std::int64_t few_taps = 24;

/// Whether this kernel is quicker than the one for any filter, which multiplies faster and stages
/// more slowly.
[[nodiscard]] constexpr bool quicker(conv2d_problem const& p, int element_bytes) noexcept
{
  std::int64_t const taps = p.filter.height * p.filter.width;
  if (taps <= few_taps) { return true; }
  view const v{p, element_bytes};
  double const other = any_per_element * static_cast<double>(p.stride.height * p.stride.width) +
                       any_per_tap * static_cast<double>(taps) * (element_bytes == 8 ? 2 : 1);
  return step_instructions(v) / v.size.columns < other;
}

}  // namespace runtime_window_tiles

}  // namespace dwconv
