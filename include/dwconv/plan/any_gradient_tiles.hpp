// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/any_filter/gradient_policy.hpp>
#include <dwconv/reduction/split_sum.hpp>

namespace dwconv {

namespace any_filter_gradient_tiles {

/// Most warps below each other, threads across a tile of taps, and columns of a piece.
inline constexpr int most_down            = 8;
inline constexpr int most_across          = 8;
inline constexpr int most_columns         = 128;
inline constexpr std::int64_t most_splits = 1024;
/// Terms that a thread should add one after the other, at most.
inline constexpr std::int64_t longest_walk = 8192;

/// What the estimate of `unit_cycles` takes, fitted to the times of some hundred tiles on an H200:
/// instructions of a row of x, to bring an element, and of a block for each row of taps; what share
/// of a scheduler's cycles a warp can fill, and all of them; cycles that a unit waits for memory.
inline constexpr double read_row  = 12;
inline constexpr double bring     = 17;
inline constexpr double begin     = 260;
inline constexpr double warp_busy = 0.26;
inline constexpr double most_busy = 0.83;
inline constexpr double waiting   = 11000;

/// Cuts `whole` into as few even parts of at most `most` as it takes, in steps of `step`.
[[nodiscard]] constexpr int even_part(int whole, int most, int step) noexcept
{
  int const parts = gradient_axis::divide_up(whole, most);
  return std::min(gradient_axis::divide_up(gradient_axis::divide_up(whole, parts), step) * step,
                  whole);
}

/// Blocks that a multiprocessor holds at a time.
[[nodiscard]] constexpr std::int64_t side_by_side(any_filter_gradient_layout const& l,
                                                  int element_bytes,
                                                  device_facts const& device) noexcept
{
  constexpr std::int64_t reserved = 1024;
  int const threads               = element_bytes == 8 ? 448 : 512;  // as registers allow
  std::int64_t const room =
    std::min<std::int64_t>(device.shared_bytes_per_sm / (l.bytes(element_bytes) + reserved),
                           threads / std::max(l.threads(), 1));
  return std::max<std::int64_t>(room, 1);
}

/// Terms that a thread adds one after the other.
[[nodiscard]] constexpr std::int64_t terms(any_filter_gradient_layout const& l,
                                           any_filter_gradient_policy const& policy,
                                           int element_bytes) noexcept
{
  std::int64_t const chunk = any_filter_gradient_sums(element_bytes).chunk;
  return policy.per_split * chunk * l.rows.piece *
         gradient_axis::divide_up(l.chunks, policy.beside);
}

/// About how long a launch takes: what it issues, and what it waits for.
struct unit_cycles {
  double issued;  ///< Cycles of a scheduler that a block takes for a unit,
  double begun;   ///< and besides.
  double warps;

  constexpr unit_cycles(any_filter_gradient_layout const& l,
                        any_filter_gradient_policy const& policy, int element_bytes) noexcept
  {
    any_filter_gradient_shape const own = any_filter_gradient_sums(element_bytes);
    // Instructions of a warp: of a row of x, with the multiply-adds of a row of taps and what it
    // takes to read for them; and to bring an element.
    int const words       = element_bytes == 8 ? 2 : 1;
    double const multiply = words * own.columns * own.chunk + 2.0 * words;
    double const read     = read_row + words * (own.columns + own.chunk) / 4.0;
    double const walks    = gradient_axis::divide_up(l.chunks, policy.beside) * l.groups;
    double const rows     = l.rows.piece;
    double const met      = rows + own.rows - 1;
    double const on_image = std::min(1.0, l.rows.marks_on_image() / met);
    double const multiplied =
      walks * on_image * (rows * l.rows.tile * multiply + met * l.down * read);
    issued = (multiplied + static_cast<double>(l.stage) / 32 * bring) / 4;
    warps  = l.threads() / 32;
    begun  = own.rows * begin * warps / 4;
  }

  /// Cycles that `blocks` blocks beside each other take for `units` units.
  [[nodiscard]] constexpr double of(std::int64_t blocks, std::int64_t units) const noexcept
  {
    auto const n      = static_cast<double>(blocks);
    double const busy = std::min(most_busy, warp_busy * n * warps / 4);
    return (static_cast<double>(units) * issued + begun) * n / busy +
           waiting * static_cast<double>(units + 1);
  }
};

/// Settles how many units a block takes, as blocks come in waves as large as the device, and
/// returns about how many cycles the launch then takes.
constexpr double share_out(conv2d_problem const& p, any_filter_gradient_policy& policy,
                           int element_bytes, device_facts const& device) noexcept
{
  any_filter_gradient_layout const l{p, policy, element_bytes};
  std::int64_t const units  = l.units(p, policy);
  std::int64_t const blocks = l.blocks(p);
  std::int64_t const beside = side_by_side(l, element_bytes, device);
  std::int64_t const sms    = std::max(device.multiprocessors, 1);
  unit_cycles const cycles{l, policy, element_bytes};
  policy.per_split = 1;

  std::int64_t const walk = std::max<std::int64_t>(terms(l, policy, element_bytes), 1);
  std::int64_t const most = std::clamp<std::int64_t>(longest_walk / walk, 1, units);
  std::int64_t best       = (units + most_splits - 1) / most_splits;
  double least            = -1;
  for (std::int64_t n = best; n <= std::max(most, best); n += 1 + n / 16) {
    std::int64_t const all   = (units + n - 1) / n * blocks;
    std::int64_t const waves = all / (sms * beside);
    std::int64_t const rest  = (all - waves * sms * beside + sms - 1) / sms;
    double const cost =
      static_cast<double>(waves) * cycles.of(beside, n) + (rest > 0 ? cycles.of(rest, n) : 0);
    if (least < 0 || cost < least) { least = cost, best = n; }
  }
  policy.splits    = static_cast<int>((units + best - 1) / best);
  policy.per_split = static_cast<int>((units + policy.splits - 1) / policy.splits);
  policy.splits    = static_cast<int>((units + policy.per_split - 1) / policy.per_split);
  return least;
}

/// Whether a filter has taps enough for it to be faster than the direct family (docs/tuning.md),
/// and numbers small enough. A thread's taps that are not there are multiplied, too.
[[nodiscard]] constexpr bool pays(conv2d_problem const& p, int element_bytes) noexcept
{
  constexpr std::int64_t most_step = 1 << 24;
  std::int64_t const least_taps    = element_bytes == 2 ? 36 : 16;
  extent2 const out                = output_extent(p);
  auto const step = [&](std::int64_t stride, std::int64_t dilation, std::int64_t taps,
                        std::int64_t outputs) {
    return taps > 1 && outputs > 1 ? stride / std::gcd(stride, dilation) * dilation : 1;
  };
  if (step(p.stride.height, p.dilation.height, p.filter.height, out.height) > most_step ||
      step(p.stride.width, p.dilation.width, p.filter.width, out.width) > most_step) {
    return false;
  }
  any_filter_gradient_policy const all{
    .tap_rows = 1 << 24, .tap_columns = 1 << 24, .rows = 1 << 24, .columns = 1 << 24};
  any_filter_gradient_layout const l{p, all, element_bytes};
  // A warp's lanes have images beside each other, or chunks of a row of dy: short ones are padded.
  constexpr int least_outputs = 4;
  auto const long_enough      = [](gradient_axis const& axis) {
    return axis.output_phases == 1 || axis.outputs_of_phase() >= least_outputs;
  };
  return std::int64_t{l.rows.taps_of_phase()} * l.columns.taps_of_phase() >= least_taps &&
         long_enough(l.rows) && long_enough(l.columns);
}

}  // namespace any_filter_gradient_tiles

/// Chooses tiles of backward_filter for any filter. Goes by ranges, never by single sizes. The
/// problem's planes have extents of at most 2^24, and its batch is not empty.
[[nodiscard]] constexpr any_filter_gradient_policy choose_any_filter_gradient_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  using namespace any_filter_gradient_tiles;
  any_filter_gradient_shape const own = any_filter_gradient_sums(element_bytes);
  any_filter_gradient_policy policy{};
  policy.tap_rows = policy.tap_columns = policy.rows = policy.columns = 1 << 24;
  any_filter_gradient_layout whole{p, policy, element_bytes};
  policy.tap_rows    = even_part(whole.rows.tile, most_down * own.rows, own.rows);
  policy.tap_columns = even_part(whole.columns.tile, most_across * own.columns, own.columns);
  policy.columns     = even_part(whole.columns.piece, most_columns, own.chunk);
  int const across   = gradient_axis::divide_up(policy.tap_columns, own.columns);
  int const chunks   = gradient_axis::divide_up(policy.columns, own.chunk);
  int const rows     = whole.rows.piece;

  any_filter_gradient_policy best = policy;
  double least                    = -1;
  for (int most = std::max(32 / across, 1); most >= 1; most /= 2) {
    policy.beside = even_part(chunks, most, 1);
    for (int lanes : {32, 64, 128}) {
      policy.images =
        static_cast<int>(std::clamp<std::int64_t>(lanes / (across * policy.beside), 1, p.batch));
      for (int parts = 1; parts <= rows; parts += 1 + parts / 4) {
        policy.rows      = gradient_axis::divide_up(rows, parts);
        policy.per_split = 1;
        any_filter_gradient_layout const l{p, policy, element_bytes};
        bool const cut = policy.rows >= 2 * own.rows;
        if (l.threads() > any_filter_gradient_threads ||
            l.bytes(element_bytes) > device.shared_bytes_per_block ||
            (cut && terms(l, policy, element_bytes) > longest_walk)) {
          continue;
        }
        double const cycles = share_out(p, policy, element_bytes, device);
        if (least < 0 || cycles < least) { least = cycles, best = policy; }
        if (!cut) { break; }
      }
    }
  }
  return best;
}

/// As `split_sum::longest_chain`.
[[nodiscard]] constexpr std::int64_t any_filter_gradient_chain(
  conv2d_problem const& p, any_filter_gradient_policy const& policy, int element_bytes) noexcept
{
  any_filter_gradient_layout const l{p, policy, element_bytes};
  return any_filter_gradient_tiles::terms(l, policy, element_bytes) +
         std::int64_t{policy.beside} * policy.images +
         gradient_axis::divide_up(policy.splits, split_warps) + split_warps;
}

}  // namespace dwconv
