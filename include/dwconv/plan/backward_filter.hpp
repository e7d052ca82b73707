// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <dwconv/plan/any_gradient_tiles.hpp>
#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/plan/gradient_splits.hpp>
#include <dwconv/plan/planner.hpp>
#include <dwconv/plan/toeplitz_filter_tiles.hpp>
#include <dwconv/plan/window_filter_tiles.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

namespace dwconv {

/// How one backward_filter will be computed: plain data, made by `plan_backward_filter`,
/// comparable, printable by `describe`, and good for any number of runs on the same kind of device.
struct backward_filter_plan {
  status outcome{};  ///< Why there is no plan, if there is none; `run` hands it back.
  conv2d_problem problem{};
  dtype element = dtype::float32;
  device_facts device{};
  kernel_family family = kernel_family::direct;
  direct_sum_policy direct{};               ///< Of the direct family,
  window_filter_policy window{};            ///< or of the window family,
  any_filter_gradient_policy any_filter{};  ///< where its kernel for any filter is to run,
  toeplitz_gradient_policy toeplitz{};      ///< or of the toeplitz family.
  std::int64_t blocks = 0;                  ///< Of the first pass; none for batch 0.
  int threads         = 0;                  ///< Per block.
  int shared_bytes    = 0;                  ///< Per block.
  std::array<verdict, kernel_families.size()> verdicts{};

  friend constexpr bool operator==(backward_filter_plan const&,
                                   backward_filter_plan const&) = default;
};

/// Bytes of the type that products of an element type are summed in.
[[nodiscard]] constexpr std::int64_t sum_bytes(dtype element) noexcept
{
  return element == dtype::float64 ? 8 : 4;
}

/// Whether the window family's kernel for any filter is to run.
[[nodiscard]] constexpr bool for_any_filter(backward_filter_plan const& plan) noexcept
{
  return plan.family == kernel_family::window && plan.any_filter.splits > 0;
}

/// Parts that the sum is taken apart into, each with a gradient of its own in the workspace.
[[nodiscard]] constexpr int split_count(backward_filter_plan const& plan) noexcept
{
  switch (plan.family) {
    case kernel_family::direct: return plan.direct.split.splits;
    case kernel_family::window:
      if (for_any_filter(plan)) { return plan.any_filter.splits; }
      return static_cast<int>(window_filter_splits{plan.problem, plan.window}.splits());
    case kernel_family::toeplitz: return plan.toeplitz.splits;
  }
  return 0;
}

/// The most additions that follow each other between a product and the gradient: with it as the
/// number of terms, the error bound of a plain sum holds.
[[nodiscard]] constexpr std::int64_t longest_chain(backward_filter_plan const& plan) noexcept
{
  switch (plan.family) {
    case kernel_family::direct: return plan.direct.split.longest_chain();
    case kernel_family::window:
      if (for_any_filter(plan)) {
        return any_filter_gradient_chain(plan.problem, plan.any_filter,
                                         static_cast<int>(size_in_bytes(plan.element)));
      }
      return window_filter_chain(plan.problem, plan.window,
                                 static_cast<int>(size_in_bytes(plan.element)));
    case kernel_family::toeplitz: return toeplitz_gradient_chain(plan.problem, plan.toeplitz);
  }
  return 0;
}

/// Bytes of workspace that a plan's runs need, all of which they write; 0 if there is no plan.
[[nodiscard]] constexpr std::int64_t workspace_bytes(backward_filter_plan const& plan) noexcept
{
  if (!plan.outcome.ok()) { return 0; }
  return split_count(plan) * filter_elements(plan.problem) * sum_bytes(plan.element);
}

/// What is checked of every call for a sum over the batch before anything is launched, in this
/// order: the plan, the type, `how`, the pointers and the workspace.
template <typename Plan, typename Tensors>
[[nodiscard]] status check_sum(Plan const& plan, dtype of_tensors, Tensors const& tensors,
                               workspace const& scratch, update how) noexcept
{
  if (!plan.outcome.ok()) { return plan.outcome; }
  if (status const s = check_dtype(of_tensors, plan.element); !s.ok()) { return s; }
  if (status const s = tensor_check::check_update(how); !s.ok()) { return s; }
  return validate(plan.problem, tensors, scratch, workspace_bytes(plan), sum_bytes(plan.element));
}

namespace planning {

/// Verdicts where the direct family alone has kernels.
[[nodiscard]] constexpr auto direct_only(char const* reason) noexcept
{
  std::array<verdict, kernel_families.size()> verdicts{};
  for (std::size_t f = 0; f < kernel_families.size(); ++f) {
    bool const direct = kernel_families[f] == kernel_family::direct;
    verdicts[f] = {kernel_families[f], direct, direct ? merit_of(kernel_families[f]) : reason};
  }
  return verdicts;
}

/// Why sums in `blocks` blocks, of `elements` elements, cannot be launched, if so.
[[nodiscard]] constexpr status within_grid(std::int64_t blocks, std::int64_t elements) noexcept
{
  std::int64_t const second = blocks_to_cover(elements, 32);
  if (std::max(blocks, second) <= most_blocks) { return {}; }
  return {.code     = status_code::too_large,
          .argument = "number of blocks of one launch",
          .value    = std::max(blocks, second),
          .limit    = most_blocks};
}

/// Why the window family cannot take a problem of backward_filter, or null; `policy` becomes the
/// tile that was chosen to see whether it fits.
[[nodiscard]] constexpr char const* obstacle_to_window_filter(conv2d_problem const& p,
                                                              dtype element,
                                                              device_facts const& device,
                                                              window_filter_policy& policy) noexcept
{
  if (p.batch == 0) { return "there is nothing to sum"; }
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  auto const compiled = [&](window_filter_shape const& shape) {
    return shape.taps == p.filter && shape.stride == p.stride;
  };
  if (std::none_of(window_filter_shapes.begin(), window_filter_shapes.end(), compiled)) {
    return "no kernel of it is compiled for this filter and stride";
  }
  if (is_dilated(p) && (p.stride != extent2{1, 1} ||
                        std::find(window_filter_dilated.begin(), window_filter_dilated.end(),
                                  p.filter) == window_filter_dilated.end())) {
    return "its window has no holes: the filter is dilated";
  }
  if (std::max(p.pad.left, p.pad.right) > 64) {
    return "the padding is wider than what it stages around a row";
  }
  if (window_filter_walk{p}.steps() < 1) { return "no row of x is met"; }
  int const bytes = static_cast<int>(size_in_bytes(element));
  policy          = choose_window_filter_policy(p, bytes, device);
  if (policy.threads > window_filter_threads ||
      window_filter_layout{p, policy, bytes}.bytes(p, policy, bytes) >
        device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  return within_grid(window_filter_splits{p, policy}.blocks(), filter_elements(p)).ok()
           ? nullptr
           : "it needs more blocks than one launch has";
}

/// Why the window family's kernel for any filter cannot take a problem of backward_filter, or null;
/// `policy` becomes the tile that was chosen, and has splits only if it can.
[[nodiscard]] constexpr char const* obstacle_to_any_filter_gradient(
  conv2d_problem const& p, dtype element, device_facts const& device,
  any_filter_gradient_policy& policy) noexcept
{
  if (p.batch == 0) { return "there is nothing to sum"; }
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  int const bytes = static_cast<int>(size_in_bytes(element));
  if (!any_filter_gradient_tiles::pays(p, bytes)) { return "too few taps share what it stages"; }
  any_filter_gradient_policy const chosen = choose_any_filter_gradient_policy(p, bytes, device);
  any_filter_gradient_layout const layout{p, chosen, bytes};
  if (chosen.splits == 0 || layout.bytes(bytes) > device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  if (!within_grid(layout.blocks(p) * chosen.splits, filter_elements(p)).ok()) {
    return "it needs more blocks than one launch has";
  }
  policy = chosen;
  return nullptr;
}

/// The tiles that families would have.
struct filter_tiles {
  window_filter_policy window{};
  any_filter_gradient_policy any_filter{};
  toeplitz_gradient_policy toeplitz{};
};

/// Judges a family, in its turn, and leaves its tile in `tiles`.
[[nodiscard]] constexpr verdict judge_filter(kernel_family family, backward_filter_plan const& plan,
                                             std::optional<kernel_family> only,
                                             filter_tiles& tiles) noexcept
{
  if (only.has_value() && *only != family) {
    return {family, false, "another family is asked for"};
  }
  char const* obstacle = nullptr;
  switch (family) {
    case kernel_family::direct: break;
    case kernel_family::window:
      obstacle = obstacle_to_window_filter(plan.problem, plan.element, plan.device, tiles.window);
      if (obstacle != nullptr &&
          obstacle_to_any_filter_gradient(plan.problem, plan.element, plan.device,
                                          tiles.any_filter) == nullptr) {
        obstacle = nullptr;
      }
      break;
    case kernel_family::toeplitz:
      obstacle =
        obstacle_to_toeplitz_gradient(plan.problem, plan.element, plan.device, tiles.toeplitz);
      break;
  }
  return {family, obstacle == nullptr, obstacle == nullptr ? merit_of(family) : obstacle};
}

constexpr void fill_direct_filter(backward_filter_plan& plan) noexcept
{
  conv2d_problem const& p   = plan.problem;
  extent2 const out         = output_extent(p);
  std::int64_t const blocks = direct_channel_groups(p) * direct_filter_chunks(p);
  plan.direct               = {
                  .split = choose_split(p.data_layout, p.batch * out.height * out.width, 1, blocks, plan.device),
                  .index = sum_index(p)};
  plan.blocks  = blocks * plan.direct.split.splits;
  plan.threads = plan.direct.split.threads;
  plan.shared_bytes =
    static_cast<int>(plan.threads / 32 * direct_filter_taps * direct_channel_lanes(p.data_layout) *
                     sum_bytes(plan.element));
}

/// Everything of a plan that follows from its problem and `policy`.
constexpr void fill_window_filter(backward_filter_plan& plan,
                                  window_filter_policy const& policy) noexcept
{
  int const bytes   = static_cast<int>(size_in_bytes(plan.element));
  plan.window       = policy;
  plan.blocks       = window_filter_splits{plan.problem, policy}.blocks();
  plan.threads      = policy.threads;
  plan.shared_bytes = static_cast<int>(
    window_filter_layout{plan.problem, policy, bytes}.bytes(plan.problem, policy, bytes));
}

/// Everything of a plan that follows from its problem and `policy`.
constexpr void fill_any_filter_gradient(backward_filter_plan& plan,
                                        any_filter_gradient_policy const& policy) noexcept
{
  int const bytes = static_cast<int>(size_in_bytes(plan.element));
  any_filter_gradient_layout const layout{plan.problem, policy, bytes};
  plan.any_filter   = policy;
  plan.blocks       = layout.blocks(plan.problem) * policy.splits;
  plan.threads      = layout.threads();
  plan.shared_bytes = static_cast<int>(layout.bytes(bytes));
}

/// Everything of a plan that follows from its problem and `policy`.
constexpr void fill_toeplitz_filter(backward_filter_plan& plan,
                                    toeplitz_gradient_policy const& policy) noexcept
{
  plan.toeplitz     = policy;
  plan.blocks       = toeplitz_gradient_blocks(plan.problem, policy);
  plan.threads      = gradient_threads;
  plan.shared_bytes = static_cast<int>(gradient_layout{plan.problem, policy}.shared_bytes());
}

/// Whether an eligible family is faster than the one chosen before it. The toeplitz family is
/// faster than the window family, but for few taps where it has to bring rows into another place.
/// Measured on an H200 (docs/tuning.md).
[[nodiscard]] constexpr bool better_filter(kernel_family family, conv2d_problem const& p) noexcept
{
  constexpr std::int64_t few_taps = 9;
  bool const few                  = p.filter.height * p.filter.width <= few_taps;
  bool const even                 = p.input.width % gradient_block == 0 &&
                    output_extent(p).width % gradient_block == 0 && output_extent(p).height > 1;
  return family == kernel_family::toeplitz && (!few || even);
}

}  // namespace planning

/// Chooses how to compute the gradient of the filter: a pure function of its arguments, with no GPU
/// needed.
///
/// @param problem Of the forward convolution; need not be valid.
/// @param element Type of x and dy.
/// @param device  Facts of the GPU that is planned for.
/// @param only    Asks for one family, for comparisons; the plan has an outcome if that one cannot
/// take the problem.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr backward_filter_plan plan_backward_filter(
  conv2d_problem const& problem, dtype element, device_facts const& device,
  std::optional<kernel_family> only = {}) noexcept
{
  backward_filter_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .device = device};
  if (!plan.outcome.ok()) { return plan; }

  planning::filter_tiles tiles{};
  bool chosen = false;
  for (std::size_t f = 0; f < kernel_families.size(); ++f) {
    plan.verdicts[f]   = planning::judge_filter(kernel_families[f], plan, only, tiles);
    bool const instead = chosen && planning::better_filter(kernel_families[f], problem);
    if (plan.verdicts[f].eligible && (!chosen || instead)) {
      chosen      = true;
      plan.family = kernel_families[f];
    }
  }
  if (!chosen) {
    plan.outcome = planning::asked_in_vain(*only);
    return plan;
  }
  switch (plan.family) {
    case kernel_family::direct: planning::fill_direct_filter(plan); break;
    case kernel_family::window:
      tiles.any_filter.splits > 0 ? planning::fill_any_filter_gradient(plan, tiles.any_filter)
                                  : planning::fill_window_filter(plan, tiles.window);
      break;
    case kernel_family::toeplitz: planning::fill_toeplitz_filter(plan, tiles.toeplitz); break;
  }
  plan.outcome = planning::within_grid(plan.blocks, filter_elements(problem));
  return plan;
}

}  // namespace dwconv
