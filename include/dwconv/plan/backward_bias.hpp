// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/plan/backward_filter.hpp>

namespace dwconv {

/// How one backward_bias will be computed: plain data, made by `plan_backward_bias`, comparable,
/// printable by `describe`, and good for any number of runs on the same kind of device.
struct backward_bias_plan {
  status outcome{};  ///< Why there is no plan, if there is none; `run` hands it back.
  conv2d_problem problem{};
  dtype element = dtype::float32;
  device_facts device{};
  kernel_family family = kernel_family::direct;
  direct_sum_policy direct{};
  std::int64_t blocks = 0;  ///< Of the first pass; none for batch 0.
  int threads         = 0;  ///< Per block.
  int shared_bytes    = 0;  ///< Per block.
  std::array<verdict, kernel_families.size()> verdicts{};

  friend constexpr bool operator==(backward_bias_plan const&, backward_bias_plan const&) = default;
};

/// Bytes of workspace that a plan's runs need, all of which they write; 0 if there is no plan.
[[nodiscard]] constexpr std::int64_t workspace_bytes(backward_bias_plan const& plan) noexcept
{
  if (!plan.outcome.ok()) { return 0; }
  return plan.direct.split.splits * plan.problem.output_channels() * sum_bytes(plan.element);
}

/// Chooses how to compute the gradient of a bias: a pure function of its arguments, with no GPU
/// needed.
///
/// @param problem Of the forward convolution; need not be valid.
/// @param element Type of dy.
/// @param device  Facts of the GPU that is planned for.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr backward_bias_plan plan_backward_bias(conv2d_problem const& problem,
                                                              dtype element,
                                                              device_facts const& device) noexcept
{
  backward_bias_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .device = device};
  if (!plan.outcome.ok()) { return plan; }

  extent2 const out        = output_extent(problem);
  int const run            = direct_bias_run(problem.data_layout, size_in_bytes(element));
  std::int64_t const units = problem.batch * planning::blocks_to_cover(out.height * out.width, run);
  std::int64_t const blocks = direct_channel_groups(problem);
  plan.direct   = {.split = planning::choose_split(problem.data_layout, units, run, blocks, device),
                   .index = planning::sum_index(problem)};
  plan.blocks   = blocks * plan.direct.split.splits;
  plan.threads  = plan.direct.split.threads;
  plan.verdicts = planning::direct_only("it has no kernels for the gradient of a bias");
  plan.shared_bytes = static_cast<int>(
    plan.threads / 32 * direct_channel_lanes(problem.data_layout) * sum_bytes(element));
  plan.outcome = planning::within_grid(plan.blocks, problem.output_channels());
  return plan;
}

}  // namespace dwconv
