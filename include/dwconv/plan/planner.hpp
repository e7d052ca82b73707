// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/plan/index_range.hpp>
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

[[nodiscard]] constexpr verdict judge_direct(conv2d_problem const& problem) noexcept
{
  bool const coverable = blocks_to_cover(output_elements(problem), direct_threads) <= most_blocks;
  return {.family   = kernel_family::direct,
          .eligible = coverable,
          .reason = coverable ? "takes every problem" : "y needs more blocks than one launch has"};
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

}  // namespace planning

/// Chooses how to compute `problem`: a pure function of its arguments, with no GPU needed.
///
/// @param problem  What is asked; need not be valid.
/// @param element  Element type of x, filter and y.
/// @param device   The GPU to plan for.
/// @param compiled The instances there are, the preferred first; the first that takes the problem
/// is planned.
/// @return A plan whose `outcome` says what is wrong with the problem, if anything.
[[nodiscard]] constexpr forward_plan plan_forward(conv2d_problem const& problem, dtype element,
                                                  device_facts const& device,
                                                  std::span<compiled_shape const> compiled) noexcept
{
  forward_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .device = device};
  if (!plan.outcome.ok()) { return plan; }

  plan.verdicts[0] = planning::judge_direct(problem);
  if (!plan.verdicts[0].eligible) {
    plan.outcome = {.code     = status_code::too_large,
                    .argument = "number of elements of y",
                    .value    = output_elements(problem),
                    .limit    = planning::most_blocks * direct_threads};
    return plan;
  }
  for (compiled_shape const& shape : compiled) {
    if (shape.takes(problem)) {
      plan.family   = kernel_family::direct;
      plan.compiled = shape;
      planning::fill_direct(plan);
      return plan;
    }
  }
  plan.outcome = compiled.empty() ? status{.code     = status_code::mismatch,
                                           .argument = "number of compiled instances"}
                                  : planning::mismatch_of(problem, compiled.back());
  return plan;
}

}  // namespace dwconv
