// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include <dwconv/plan/planner.hpp>
#include <dwconv/plan/spread_tiles.hpp>
#include <dwconv/problem/turned.hpp>

namespace dwconv {

/// How one backward_data will be computed: plain data, made by `plan_backward_data`, comparable,
/// printable by `describe`, and good for any number of runs on the same kind of device.
struct backward_data_plan {
  status outcome{};  ///< Why there is no plan, if there is none; `run` hands it back.
  conv2d_problem problem{};
  dtype element = dtype::float32;
  device_facts device{};
  kernel_family family = kernel_family::direct;
  direct_policy direct{};  ///< Read when `family` is direct;
  bool spreads = false;    ///< The window family's kernels that spread dy over dx:
  window_policy window{};  ///< their tile, of groups of rows of dx.
  forward_plan turned{};   ///< Otherwise the forward convolution of dy that gives dx.
  std::int64_t blocks = 0;
  int threads         = 0;  ///< Per block.
  int shared_bytes    = 0;  ///< Per block.
  std::array<verdict, kernel_families.size()> verdicts{};

  friend constexpr bool operator==(backward_data_plan const&, backward_data_plan const&) = default;
};

namespace planning {

/// Plans the forward convolution of dy, for any family but the direct one; the outcome says why
/// not.
[[nodiscard]] constexpr forward_plan plan_turned(backward_data_plan const& plan,
                                                 std::span<compiled_shape const> compiled,
                                                 std::optional<kernel_family> only) noexcept
{
  forward_plan turned =
    plan_forward(turned_problem(plan.problem), plan.element, plan.device, compiled, only);
  if (turned.outcome.ok() && turned.family == kernel_family::direct) {
    turned.outcome = {.code = status_code::mismatch, .argument = "family"};
  }
  return turned;
}

/// Why no kernel that spreads dy over dx takes a problem, or null.
[[nodiscard]] constexpr char const* obstacle_to_spreading(
  backward_data_plan const& plan, std::span<compiled_shape const> compiled) noexcept
{
  conv2d_problem const& p = plan.problem;
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  if (p.dilation != extent2{1, 1}) { return "its window has no holes: the filter is dilated"; }
  bool listed = false;
  for (compiled_shape const& kernel : compiled) {
    listed = listed ||
             (kernel.family == kernel_family::window && kernel.taps.height > 0 && kernel.takes(p));
  }
  if (!listed) { return "no kernel of it is compiled for this filter and stride"; }
  return spread_tiles::obstacle(p, static_cast<int>(size_in_bytes(plan.element)), plan.device);
}

constexpr void fill_spread(backward_data_plan& plan) noexcept
{
  int const bytes = static_cast<int>(size_in_bytes(plan.element));
  plan.family     = kernel_family::window;
  plan.spreads    = true;
  plan.window     = choose_spread_policy(plan.problem, bytes, plan.device);
  tile_geometry const g =
    lay_out_spread(plan.problem, plan.window.tile, bytes, plan.window.piece.columns);
  plan.blocks       = g.tiles;
  plan.threads      = plan.window.threads;
  plan.shared_bytes = static_cast<int>(spread_shared_bytes(plan.problem, g, bytes));
}

constexpr void fill_direct(backward_data_plan& plan) noexcept
{
  bool const narrow = fits_32_bits(plan.problem, direct_threads) &&
                      input_elements(plan.problem) <= INT32_MAX - direct_threads;
  plan.direct  = {.threads = direct_threads,
                  .index   = narrow ? index_width::bits32 : index_width::bits64};
  plan.blocks  = blocks_to_cover(input_elements(plan.problem), direct_threads);
  plan.threads = direct_threads;
}

/// Asks the direct family, which comes last.
constexpr void judge_direct(backward_data_plan& plan, std::optional<kernel_family> only) noexcept
{
  verdict& answer = plan.verdicts.back();
  answer          = {kernel_family::direct, true, merit_of(kernel_family::direct)};
  if (only.has_value() && *only != kernel_family::direct) {
    answer = {kernel_family::direct, false, "another family is asked for"};
  } else if (blocks_to_cover(input_elements(plan.problem), direct_threads) > most_blocks) {
    answer = {kernel_family::direct, false, "dx needs more blocks than one launch has"};
  }
}

/// What is said where no family takes a problem.
[[nodiscard]] constexpr status no_family(backward_data_plan const& plan,
                                         std::optional<kernel_family> only) noexcept
{
  if (only.has_value() && *only != kernel_family::direct) { return asked_in_vain(*only); }
  return {.code     = status_code::too_large,
          .argument = "number of elements of dx",
          .value    = input_elements(plan.problem),
          .limit    = most_blocks * direct_threads};
}

/// What keeps a problem from every kernel that was compiled.
[[nodiscard]] constexpr status mismatch_of(conv2d_problem const& problem,
                                           std::span<compiled_shape const> compiled) noexcept
{
  for (compiled_shape const& kernel : compiled) {
    if (kernel.takes(problem)) { return {}; }
  }
  return compiled.empty() ? status{} : mismatch_of(problem, compiled.back());
}

}  // namespace planning

/// Chooses how to compute the gradient of x: a pure function of its arguments, with no GPU needed.
///
/// Where one filter a channel moves in steps of one, the gradient is a forward convolution of dy
/// with the filter turned by 180 degrees, and a forward kernel computes it. Where there are several
/// filters a channel, or larger strides, the window family has kernels of its own for some filters;
/// the direct family takes the rest.
///
/// @param problem  Of the forward convolution; need not be valid.
/// @param element  Type of dy, filter and dx.
/// @param device   Facts of the GPU that is planned for.
/// @param compiled The forward kernels there are.
/// @param only     Asks for one family, for comparisons; the plan has an outcome if that one cannot
/// take the problem.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr backward_data_plan plan_backward_data(
  conv2d_problem const& problem, dtype element, device_facts const& device,
  std::span<compiled_shape const> compiled, std::optional<kernel_family> only = {}) noexcept
{
  backward_data_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .device = device};
  if (plan.outcome.ok()) { plan.outcome = planning::mismatch_of(problem, compiled); }
  if (!plan.outcome.ok()) { return plan; }

  char const* const obstacle = obstacle_to_turning(problem);
  if (obstacle == nullptr) { plan.turned = planning::plan_turned(plan, compiled, only); }
  for (std::size_t f = 0; f < kernel_families.size(); ++f) {
    plan.verdicts[f] =
      obstacle == nullptr ? plan.turned.verdicts[f] : verdict{kernel_families[f], false, obstacle};
  }
  planning::judge_direct(plan, only);
  bool const spread = problem.stride != extent2{1, 1} || problem.multiplier > 1;
  if (spread && only.value_or(kernel_family::window) == kernel_family::window) {
    char const* const reason = planning::obstacle_to_spreading(plan, compiled);
    for (verdict& answer : plan.verdicts) {
      if (answer.family != kernel_family::window) { continue; }
      answer = {kernel_family::window, reason == nullptr,
                reason == nullptr ? planning::merit_of(kernel_family::window) : reason};
    }
    if (reason == nullptr) {
      planning::fill_spread(plan);
      return plan;
    }
  }
  if (obstacle == nullptr && plan.turned.outcome.ok()) {
    plan.family       = plan.turned.family;
    plan.blocks       = plan.turned.blocks;
    plan.threads      = plan.turned.threads;
    plan.shared_bytes = plan.turned.shared_bytes;
    return plan;
  }
  plan.turned = {};
  if (plan.verdicts.back().eligible) {
    planning::fill_direct(plan);
  } else {
    plan.outcome = planning::no_family(plan, only);
  }
  return plan;
}

}  // namespace dwconv
