// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>

#include <dwconv/plan/any_filter_tiles.hpp>
#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/plan/index_range.hpp>
#include <dwconv/plan/runtime_window_tiles.hpp>
#include <dwconv/plan/toeplitz_tiles.hpp>
#include <dwconv/plan/window_tiles.hpp>
#include <dwconv/problem/validate.hpp>

namespace dwconv {

namespace planning {

/// Blocks of one launch along x, as every CUDA device allows.
inline constexpr std::int64_t most_blocks = INT32_MAX;

[[nodiscard]] constexpr std::int64_t blocks_to_cover(std::int64_t elements,
                                                     std::int64_t per_block) noexcept
{
  return elements / per_block + (elements % per_block != 0 ? 1 : 0);
}

/// Why the direct family cannot take a problem, or null.
[[nodiscard]] constexpr char const* obstacle_to_direct(conv2d_problem const& problem) noexcept
{
  bool const coverable = blocks_to_cover(output_elements(problem), direct_threads) <= most_blocks;
  return coverable ? nullptr : "y needs more blocks than one launch has";
}

/// Why no kernel of the window family can take a problem, or null.
[[nodiscard]] constexpr char const* obstacle_to_tiles(conv2d_problem const& p) noexcept
{
  // Counts along one axis, and of planes, are 32-bit there; tensors may be larger.
  constexpr std::int64_t most_planes = INT32_MAX / 2;
  constexpr std::int64_t most_extent = 1 << 24;
  if (p.data_layout != layout::nchw) { return "its tiles are staged in nchw only"; }
  if (p.batch * p.output_channels() > most_planes) { return "y has more planes than it counts"; }
  std::int64_t const extents[] = {p.input.height, p.input.width, padded_input(p).height,
                                  padded_input(p).width};
  if (*std::max_element(std::begin(extents), std::end(extents)) > most_extent) {
    return "the planes are too long";
  }
  return nullptr;
}

/// A kernel that may take a problem, and the tile it would have: one of the three, or none.
struct candidate {
  compiled_shape kernel{};
  window_policy window{};
  any_filter_policy any_filter{};
  toeplitz_policy toeplitz{};
};

/// Why the window family's kernel for one filter cannot take a problem, or null.
///
/// @param p       Valid.
/// @param element Of x, filter and y.
/// @param device  That is planned for.
/// @param policy  Becomes the tile that was chosen to see whether it fits.
[[nodiscard]] constexpr char const* obstacle_to_window(conv2d_problem const& p, dtype element,
                                                       device_facts const& device,
                                                       window_policy& policy) noexcept
{
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  if (p.dilation != extent2{1, 1}) { return "its window has no holes: the filter is dilated"; }
  if (std::max(p.pad.left, p.pad.right) > 64) {
    return "the padding is wider than what it stages around a row";
  }

  int const bytes = static_cast<int>(size_in_bytes(element));
  policy          = choose_window_policy(p, bytes, device);
  if (!window_tiles::has_lanes(p, policy.tile)) {
    return "its steps have more rows than a warp has lanes";
  }
  if (!window_tiles::fits(p, policy, bytes, device)) {
    return "a tile does not fit in shared memory";
  }
  tile_geometry const g = lay_out_tile(p, policy.tile, bytes, 0);
  return g.tiles > most_blocks ? "y needs more blocks than one launch has" : nullptr;
}

/// Why the window kernels for filters known at run time cannot take a problem, or null.
[[nodiscard]] constexpr char const* obstacle_to_runtime_window(conv2d_problem const& p,
                                                               dtype element,
                                                               device_facts const& device) noexcept
{
  constexpr std::int64_t most_stride = 16;
  constexpr std::int64_t most_taps   = 4096;
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  if (std::max(p.stride.height, p.stride.width) > most_stride) {
    return "the stride leaves out most of x";
  }
  if (std::max(p.filter.height, p.filter.width) > most_taps) { return "the filter is too long"; }
  runtime_window_walk const walk{p};
  if (!walk.possible) { return "filter and stride leave out different rows"; }
  if (walk.live > runtime_window_most_live) { return "the filter is too high for its sums"; }

  int const bytes = static_cast<int>(size_in_bytes(element));
  runtime_window_tiles::view const view{p, bytes};
  window_policy const least = runtime_window_tiles::least_tile(view);
  if (!runtime_window_tiles::possible(view, least, device)) {
    return "a tile does not fit in shared memory";
  }
  // Tiles that are chosen are no smaller.
  return lay_out_tile(p, least.tile, bytes, 0).tiles > most_blocks
           ? "y needs more blocks than one launch has"
           : nullptr;
}

/// Why the window family's kernel for any filter cannot take a problem, or null; `policy` becomes
/// the tile that was chosen to see whether it fits.
[[nodiscard]] constexpr char const* obstacle_to_any_filter(conv2d_problem const& p, dtype element,
                                                           device_facts const& device,
                                                           any_filter_policy& policy) noexcept
{
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  extent2 const out                = output_extent(p);
  std::int64_t const most_of_plane = INT32_MAX / 2;
  if (p.input.height * p.input.width > most_of_plane || out.height * out.width > most_of_plane) {
    return "a plane has more elements than it counts";
  }
  // Steps on the lattice; with a step of many filters most of what is staged is never read.
  lattice_axis const rows{
    p.input.height, out.height, p.filter.height, p.stride.height, p.dilation.height, p.pad.top, 1};
  lattice_axis const columns{
    p.input.width, out.width, p.filter.width, p.stride.width, p.dilation.width, p.pad.left, 1};
  if (rows.step > 4 * p.filter.height || columns.step > 4 * p.filter.width) {
    return "the stride leaves out most of x";
  }
  int const bytes = static_cast<int>(size_in_bytes(element));
  policy          = choose_any_filter_policy(p, bytes, device);
  lattice_layout const layout{p, policy.tile, any_filter_piece(p, bytes, policy.wide)};
  if (layout.size() * any_filter_staged_bytes(bytes) > device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  return layout.tiles > most_blocks ? "y needs more blocks than one launch has" : nullptr;
}

/// Why a compiled kernel cannot take a problem of its filter and stride, or null. Tiles that were
/// chosen on the way are left in `tried`.
[[nodiscard]] constexpr char const* obstacle_to(forward_plan const& plan, candidate& tried) noexcept
{
  compiled_shape const& kernel = tried.kernel;
  conv2d_problem const& p      = plan.problem;
  switch (kernel.family) {
    case kernel_family::direct: return obstacle_to_direct(p);
    case kernel_family::window:
      return kernel.slides ? obstacle_to_runtime_window(p, plan.element, plan.device)
             : kernel.any_filter()
               ? obstacle_to_any_filter(p, plan.element, plan.device, tried.any_filter)
               : obstacle_to_window(p, plan.element, plan.device, tried.window);
    case kernel_family::toeplitz:
      return obstacle_to_toeplitz(p, plan.element, plan.device, tried.toeplitz);
  }
  return "unknown family";
}

/// What speaks for a family that can take a problem.
[[nodiscard]] constexpr char const* merit_of(kernel_family family) noexcept
{
  switch (family) {
    case kernel_family::direct: return "takes every problem";
    case kernel_family::window: return "reads x once, in tiles";
    case kernel_family::toeplitz: return "multiplies on tensor cores, a filter row at a time";
  }
  return "unknown family";
}

/// Whether a later kernel of the list, if it takes the problem, is to be preferred.
[[nodiscard]] constexpr bool second_best(compiled_shape const& kernel,
                                         forward_plan const& plan) noexcept
{
  return kernel.slides && !runtime_window_tiles::quicker(
                            plan.problem, static_cast<int>(size_in_bytes(plan.element)));
}

/// Asks a family's kernels in turn. The first that takes the problem and is not second best becomes
/// `found`; where none takes it, the verdict has the words of the last.
[[nodiscard]] constexpr verdict judge(kernel_family family, forward_plan const& plan,
                                      std::span<compiled_shape const> compiled,
                                      std::optional<kernel_family> only, candidate& found) noexcept
{
  if (only.has_value() && *only != family) {
    return {family, false, "another family is asked for"};
  }
  verdict answer{family, false, "no kernel of it is compiled for this filter and stride"};
  for (compiled_shape const& asked : compiled) {
    if (asked.family != family || !asked.takes(plan.problem)) { continue; }
    candidate tried{.kernel = asked};
    char const* const obstacle = obstacle_to(plan, tried);
    if (obstacle == nullptr) {
      found  = tried;
      answer = {family, true, merit_of(family)};
      if (!second_best(asked, plan)) { return answer; }
    } else if (!answer.eligible) {
      answer.reason = obstacle;
    }
  }
  return answer;
}

/// Whether an eligible family is faster than the kernel that was chosen before it. The toeplitz
/// family is faster than the window family, but where its matrix products stay half empty: for
/// kernels of one filter, and for those that slide where few taps meet each element. Measured on an
/// H200 (docs/tuning.md).
[[nodiscard]] constexpr bool better(kernel_family family, conv2d_problem const& p,
                                    compiled_shape const& than) noexcept
{
  if (family != kernel_family::toeplitz) { return false; }
  if (than.taps == extent2{0, 0}) {
    // Filters of more rows are not held in registers; of one column, little of a product is used.
    constexpr std::int64_t most_taps = 32, most_held_rows = 13;
    constexpr auto alike = toeplitz_rows_begin::alike;
    bool const strided   = p.stride.width > 1 && p.input.width % 2 != 0 &&
                         !toeplitz_holds_filter(p, toeplitz_rows_begin::any);
    bool const column = p.filter.width == 1 && p.filter.height > most_held_rows;
    // Short walks, and half of each second product: of small planes.
    bool const apart = toeplitz_begin(p) == alike && toeplitz_chunks(p, alike) == 2 &&
                       p.input.height * p.input.width * 2 <= toeplitz_tiles::sm90.plane_bytes;
    bool const few = p.filter.height * p.filter.width <= most_taps;
    return !(than.slides && (strided || column || apart) && few);
  }
  constexpr std::int64_t least_outputs = 36, least_width = 16, few_taps = 9;
  extent2 const out = output_extent(p);
  bool const easy   = p.filter.height * p.filter.width <= few_taps;
  bool const tiny =
    out.height * out.width < least_outputs || (out.height == 1 && p.filter.height > 1);
  std::int64_t const columns = geometry::round_up(out.width, toeplitz_block);
  bool const hollow          = easy && out.width * 10 < columns * 7;
  bool const strided         = easy && p.stride.width > 1 &&
                       (p.input.width % 4 != 0 || out.width % 4 != 0 || out.width < least_width);
  // Slots of several images share no matrix product there: those of one should fill some.
  constexpr std::int64_t least_columns = toeplitz_block * toeplitz_slots, least_height = 7;
  bool const odd   = p.channels % 2 != 0 && p.input.height % 2 != 0 && p.input.width % 2 != 0;
  bool const small = out.width < least_columns && out.height < least_height * least_columns;
  bool const alone = odd && small && out.height * columns < least_height * least_columns;
  return !(tiny || hollow || strided || alone);
}

constexpr void fill_direct(forward_plan& plan) noexcept
{
  bool const narrow = fits_32_bits(plan.problem, direct_threads);
  plan.direct       = {.threads = direct_threads,
                       .index   = narrow ? index_width::bits32 : index_width::bits64};
  plan.blocks       = blocks_to_cover(output_elements(plan.problem), direct_threads);
  plan.threads      = direct_threads;
  plan.shared_bytes = 0;
}

constexpr void fill_window(forward_plan& plan) noexcept
{
  int const bytes   = static_cast<int>(size_in_bytes(plan.element));
  plan.blocks       = lay_out_tile(plan.problem, plan.window.tile, bytes, 0).tiles;
  plan.threads      = plan.window.threads;
  plan.shared_bytes = static_cast<int>(
    window_tiles::shared_bytes(plan.problem, plan.window.tile, bytes, plan.window.piece.columns));
}

constexpr void fill_runtime_window(forward_plan& plan) noexcept
{
  int const bytes = static_cast<int>(size_in_bytes(plan.element));
  plan.window     = choose_runtime_window_policy(plan.problem, bytes, plan.device);
  plan.blocks     = lay_out_tile(plan.problem, plan.window.tile, bytes, 0).tiles;
  plan.threads    = plan.window.threads;
  plan.shared_bytes =
    static_cast<int>(runtime_window_tiles::shared_bytes({plan.problem, bytes}, plan.window.tile));
}

constexpr void fill_any_filter(forward_plan& plan) noexcept
{
  int const bytes = static_cast<int>(size_in_bytes(plan.element));
  lattice_layout const layout{plan.problem, plan.any_filter.tile,
                              any_filter_piece(plan.problem, bytes, plan.any_filter.wide)};
  plan.blocks       = layout.tiles;
  plan.threads      = plan.any_filter.threads;
  plan.shared_bytes = static_cast<int>(layout.size() * any_filter_staged_bytes(bytes));
}

constexpr void fill_toeplitz(forward_plan& plan) noexcept
{
  plan.blocks       = toeplitz_tiles::blocks(plan.problem, plan.toeplitz);
  plan.threads      = plan.toeplitz.threads;
  plan.shared_bytes = toeplitz_tiles::shared_bytes(plan.problem, plan.toeplitz);
}

/// Takes a candidate over, with what follows from its tile.
constexpr void fill(forward_plan& plan, candidate const& chosen) noexcept
{
  plan.compiled   = chosen.kernel;
  plan.window     = chosen.window;
  plan.any_filter = chosen.any_filter;
  plan.toeplitz   = chosen.toeplitz;
  switch (plan.family) {
    case kernel_family::direct: fill_direct(plan); break;
    case kernel_family::window:
      plan.compiled.slides         ? fill_runtime_window(plan)
      : plan.compiled.any_filter() ? fill_any_filter(plan)
                                   : fill_window(plan);
      break;
    case kernel_family::toeplitz: fill_toeplitz(plan); break;
  }
}

/// What keeps a problem from a kernel compiled for one filter and stride.
[[nodiscard]] constexpr status mismatch_of(conv2d_problem const& problem,
                                           compiled_shape const& compiled) noexcept
{
  struct {
    char const* name;
    std::int64_t value;
    std::int64_t expected;
  } const axes[] = {
    {"filter.height", problem.filter.height, compiled.taps.height},
    {"filter.width", problem.filter.width, compiled.taps.width},
    {"stride.height", problem.stride.height, compiled.stride.height},
    {"stride.width", problem.stride.width, compiled.stride.width},
  };
  for (auto const& axis : axes) {
    if (axis.expected != 0 && axis.value != axis.expected) {
      return {.code     = status_code::mismatch,
              .argument = axis.name,
              .value    = axis.value,
              .limit    = axis.expected};
    }
  }
  return {};
}

/// What is said where the family asked for does not take a problem.
[[nodiscard]] constexpr status asked_in_vain(kernel_family asked) noexcept
{
  return {.code     = status_code::mismatch,
          .argument = "family asked for",
          .value    = static_cast<std::int64_t>(asked),
          .limit    = static_cast<std::int64_t>(kernel_family::direct)};
}

/// What is said where no family takes a problem.
[[nodiscard]] constexpr status no_family(conv2d_problem const& problem,
                                         std::span<compiled_shape const> compiled,
                                         std::optional<kernel_family> only) noexcept
{
  if (compiled.empty()) {
    return {.code = status_code::mismatch, .argument = "number of compiled kernels", .limit = 1};
  }
  if (status const s = mismatch_of(problem, compiled.back()); !s.ok()) { return s; }
  if (only.has_value() && *only != kernel_family::direct) { return asked_in_vain(*only); }
  return {.code     = status_code::too_large,
          .argument = "number of elements of y",
          .value    = output_elements(problem),
          .limit    = most_blocks * direct_threads};
}

}  // namespace planning

/// Chooses how to compute `problem`: a pure function of its arguments, with no GPU needed.
///
/// @param problem  What is asked; need not be valid.
/// @param element  Type of x, filter and y.
/// @param device   Facts of the GPU that is planned for.
/// @param compiled The kernels there are; of a family's, the first that takes the problem is
/// planned, the others are asked where it declines.
/// @param only     Asks for one family, for comparisons; the plan has an outcome if that one cannot
/// take the problem.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr forward_plan plan_forward(conv2d_problem const& problem, dtype element,
                                                  device_facts const& device,
                                                  std::span<compiled_shape const> compiled,
                                                  std::optional<kernel_family> only = {}) noexcept
{
  forward_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .device = device};
  if (!plan.outcome.ok()) { return plan; }

  bool chosen = false;
  planning::candidate best{};
  for (std::size_t f = 0; f < kernel_families.size(); ++f) {
    planning::candidate found{};
    plan.verdicts[f]   = planning::judge(kernel_families[f], plan, compiled, only, found);
    bool const instead = chosen && planning::better(kernel_families[f], problem, best.kernel);
    if (plan.verdicts[f].eligible && (!chosen || instead)) {
      chosen      = true;
      plan.family = kernel_families[f];
      best        = found;
    }
  }
  if (chosen) { planning::fill(plan, best); }
  if (!chosen) { plan.outcome = planning::no_family(problem, compiled, only); }
  return plan;
}

}  // namespace dwconv
