// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include <dwconv/plan/backward_bias.hpp>
#include <dwconv/plan/backward_data.hpp>
#include <dwconv/plan/backward_filter.hpp>
#include <dwconv/plan/window_joint_tiles.hpp>
#include <dwconv/problem/backward_tensors.hpp>
#include <dwconv/problem/turned.hpp>

namespace dwconv {

/// How dx and dfilter will be computed in one pass, by a kernel of the window family.
struct joint_plan {
  bool chosen        = false;
  char const* reason = "";  ///< Why, or why not.
  window_filter_policy window{};
  std::int64_t blocks = 0;  ///< Of the first pass.
  int threads         = 0;  ///< Per block.
  int shared_bytes    = 0;  ///< Per block.

  friend constexpr bool operator==(joint_plan const& a, joint_plan const& b) noexcept
  {
    return a.chosen == b.chosen && std::string_view{a.reason} == b.reason && a.window == b.window &&
           a.blocks == b.blocks && a.threads == b.threads && a.shared_bytes == b.shared_bytes;
  }
};

/// How some of the gradients of one convolution will be computed: dx and dfilter in one pass where
/// `joint.chosen` says so, else one after the other; plain data, made by `plan_backward`,
/// comparable, printable by `describe`, and good for any number of runs on the same kind of device.
struct backward_plan {
  status outcome{};  ///< Why there is no plan, if there is none; `run` hands it back.
  conv2d_problem problem{};
  dtype element = dtype::float32;
  device_facts device{};
  gradients wanted{};
  joint_plan joint{};
  backward_data_plan data{};      ///< Read if dx is wanted, but not in one pass with dfilter.
  backward_filter_plan filter{};  ///< Read if dfilter is wanted, but not in one pass with dx.
  backward_bias_plan bias{};      ///< Read if dbias is wanted.

  friend constexpr bool operator==(backward_plan const&, backward_plan const&) = default;
};

/// Parts that the sum of dfilter is taken apart into, each with a gradient of its own in the
/// workspace.
[[nodiscard]] constexpr int split_count(backward_plan const& plan) noexcept
{
  return plan.joint.chosen
           ? static_cast<int>(window_joint_splits{plan.problem, plan.joint.window}.splits())
           : split_count(plan.filter);
}

/// The most additions that follow each other between a product and dfilter.
[[nodiscard]] constexpr std::int64_t longest_chain(backward_plan const& plan) noexcept
{
  return plan.joint.chosen ? window_joint_chain(plan.problem, plan.joint.window,
                                                static_cast<int>(size_in_bytes(plan.element)))
                           : longest_chain(plan.filter);
}

/// Bytes of workspace that a plan's runs need; 0 if there is no plan. The gradients use the same
/// memory in turn.
[[nodiscard]] constexpr std::int64_t workspace_bytes(backward_plan const& plan) noexcept
{
  if (!plan.outcome.ok()) { return 0; }
  std::int64_t const of_filter =
    plan.joint.chosen ? split_count(plan) * filter_elements(plan.problem) * sum_bytes(plan.element)
                      : workspace_bytes(plan.filter);
  return std::max(plan.wanted.dfilter ? of_filter : std::int64_t{0},
                  plan.wanted.dbias ? workspace_bytes(plan.bias) : std::int64_t{0});
}

namespace planning {

/// Why no kernel computes dx and dfilter in one pass, or null; `policy` becomes the tile that was
/// chosen to see whether it fits.
[[nodiscard]] constexpr char const* obstacle_to_joint(conv2d_problem const& p,
                                                      gradients const& wanted, dtype element,
                                                      device_facts const& device,
                                                      window_filter_policy& policy) noexcept
{
  if (!wanted.dx || !wanted.dfilter) { return "one of them is not asked for"; }
  if (p.batch == 0) { return "there is nothing to sum"; }
  if (char const* const obstacle = obstacle_to_tiles(p); obstacle != nullptr) { return obstacle; }
  if (std::find(window_joint_filters.begin(), window_joint_filters.end(), p.filter) ==
      window_joint_filters.end()) {
    return "no kernel of both is compiled for this filter";
  }
  if (p.dilation != extent2{1, 1}) { return "the filter is dilated"; }
  if (char const* const obstacle = obstacle_to_turning(p); obstacle != nullptr) { return obstacle; }
  int const bytes = static_cast<int>(size_in_bytes(element));
  policy          = choose_window_joint_policy(p, bytes, device);
  if (policy.threads > window_filter_threads ||
      window_joint_layout{p, policy, bytes}.bytes(p, policy, bytes) >
        device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  return within_grid(window_joint_splits{p, policy}.blocks(), filter_elements(p)).ok()
           ? nullptr
           : "it needs more blocks than one launch has";
}

/// Everything of a plan for both gradients in one pass that follows from its problem and `policy`.
constexpr void fill_joint(backward_plan& plan, window_filter_policy const& policy) noexcept
{
  int const bytes = static_cast<int>(size_in_bytes(plan.element));
  plan.joint      = {
         .chosen       = true,
         .reason       = "dy is read once for both",
         .window       = policy,
         .blocks       = window_joint_splits{plan.problem, policy}.blocks(),
         .threads      = policy.threads,
         .shared_bytes = static_cast<int>(
      window_joint_layout{plan.problem, policy, bytes}.bytes(plan.problem, policy, bytes))};
}

/// Settles whether dx and dfilter go in one pass.
constexpr void consider_joint(backward_plan& plan) noexcept
{
  window_filter_policy policy{};
  plan.joint.reason =
    obstacle_to_joint(plan.problem, plan.wanted, plan.element, plan.device, policy);
  if (plan.joint.reason == nullptr) { fill_joint(plan, policy); }
}

}  // namespace planning

/// Chooses how to compute some gradients: a pure function of its arguments, with no GPU needed.
///
/// @param problem  Of the forward convolution; need not be valid.
/// @param wanted   At least one.
/// @param element  Type of x, dy, filter and dx.
/// @param device   Facts of the GPU that is planned for.
/// @param compiled The forward kernels there are.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr backward_plan plan_backward(
  conv2d_problem const& problem, gradients const& wanted, dtype element, device_facts const& device,
  std::span<compiled_shape const> compiled) noexcept
{
  backward_plan plan{.outcome = validate(problem),
                     .problem = problem,
                     .element = element,
                     .device  = device,
                     .wanted  = wanted};
  if (plan.outcome.ok() && !wanted.any()) {
    plan.outcome = {.code = status_code::null_pointer, .argument = "each of dx, dfilter and dbias"};
  }
  if (plan.outcome.ok()) { planning::consider_joint(plan); }
  if (plan.outcome.ok() && wanted.dx && !plan.joint.chosen) {
    plan.data    = plan_backward_data(problem, element, device, compiled);
    plan.outcome = plan.data.outcome;
  }
  if (plan.outcome.ok() && wanted.dfilter && !plan.joint.chosen) {
    plan.filter  = plan_backward_filter(problem, element, device);
    plan.outcome = plan.filter.outcome;
  }
  if (plan.outcome.ok() && wanted.dbias) {
    plan.bias    = plan_backward_bias(problem, element, device);
    plan.outcome = plan.bias.outcome;
  }
  return plan;
}

}  // namespace dwconv
