// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include <dwconv/plan/backward_bias.hpp>
#include <dwconv/plan/backward_data.hpp>
#include <dwconv/plan/backward_filter.hpp>
#include <dwconv/problem/backward_tensors.hpp>

namespace dwconv {

/// How some of the gradients of one convolution will be computed, one after the other: plain data,
/// made by `plan_backward`, comparable, printable by `describe`, and good for any number of runs on
/// the same kind of device.
struct backward_plan {
  status outcome{};  ///< Why there is no plan, if there is none; `run` hands it back.
  conv2d_problem problem{};
  dtype element = dtype::float32;
  gradients wanted{};
  backward_data_plan data{};  ///< Each is read if it is wanted.
  backward_filter_plan filter{};
  backward_bias_plan bias{};

  friend constexpr bool operator==(backward_plan const&, backward_plan const&) = default;
};

/// Bytes of workspace that a plan's runs need; 0 if there is no plan. The gradients use the same
/// memory in turn.
[[nodiscard]] constexpr std::int64_t workspace_bytes(backward_plan const& plan) noexcept
{
  if (!plan.outcome.ok()) { return 0; }
  return std::max(plan.wanted.dfilter ? workspace_bytes(plan.filter) : std::int64_t{0},
                  plan.wanted.dbias ? workspace_bytes(plan.bias) : std::int64_t{0});
}

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
  backward_plan plan{
    .outcome = validate(problem), .problem = problem, .element = element, .wanted = wanted};
  if (plan.outcome.ok() && !wanted.any()) {
    plan.outcome = {.code = status_code::null_pointer, .argument = "each of dx, dfilter and dbias"};
  }
  if (plan.outcome.ok() && wanted.dx) {
    plan.data    = plan_backward_data(problem, element, device, compiled);
    plan.outcome = plan.data.outcome;
  }
  if (plan.outcome.ok() && wanted.dfilter) {
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
