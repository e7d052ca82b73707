// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/plan/gradient_splits.hpp>
#include <dwconv/plan/planner.hpp>

namespace dwconv {

/// How one backward_filter will be computed: plain data, made by `plan_backward_filter`,
/// comparable, printable by `describe`, and good for any number of runs on the same kind of device.
struct backward_filter_plan {
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

  friend constexpr bool operator==(backward_filter_plan const&,
                                   backward_filter_plan const&) = default;
};

/// Bytes of the type that products of an element type are summed in.
[[nodiscard]] constexpr std::int64_t sum_bytes(dtype element) noexcept
{
  return element == dtype::float64 ? 8 : 4;
}

/// Bytes of workspace that a plan's runs need, all of which they write; 0 if there is no plan.
[[nodiscard]] constexpr std::int64_t workspace_bytes(backward_filter_plan const& plan) noexcept
{
  if (!plan.outcome.ok()) { return 0; }
  return plan.direct.split.splits * filter_elements(plan.problem) * sum_bytes(plan.element);
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

}  // namespace planning

/// Chooses how to compute the gradient of the filter: a pure function of its arguments, with no GPU
/// needed.
///
/// @param problem Of the forward convolution; need not be valid.
/// @param element Type of x and dy.
/// @param device  Facts of the GPU that is planned for.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr backward_filter_plan plan_backward_filter(
  conv2d_problem const& problem, dtype element, device_facts const& device) noexcept
{
  backward_filter_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .device = device};
  if (!plan.outcome.ok()) { return plan; }

  extent2 const out         = output_extent(problem);
  std::int64_t const blocks = direct_channel_groups(problem) * direct_filter_chunks(problem);
  plan.direct               = {.split = planning::choose_split(
                                 problem.data_layout, problem.batch * out.height * out.width, 1, blocks, device),
                               .index = planning::sum_index(problem)};
  plan.blocks               = blocks * plan.direct.split.splits;
  plan.threads              = plan.direct.split.threads;
  plan.verdicts = planning::direct_only("it has no kernels for the gradient of the filter");
  plan.shared_bytes =
    static_cast<int>(plan.threads / 32 * direct_filter_taps *
                     direct_channel_lanes(problem.data_layout) * sum_bytes(element));
  plan.outcome = planning::within_grid(plan.blocks, filter_elements(problem));
  return plan;
}

}  // namespace dwconv
