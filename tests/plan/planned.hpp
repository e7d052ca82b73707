// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/planner.hpp>

/// The plan the doors would make on an H200, or would make if they had one family `only`.
[[nodiscard]] constexpr dwconv::forward_plan planned(dwconv::conv2d_problem const& problem,
                                                     dwconv::dtype type = dwconv::dtype::float32,
                                                     std::optional<dwconv::kernel_family> only = {})
{
  return dwconv::plan_forward(problem, type, dwconv::h200_facts, dwconv::default_instances::shapes,
                              only);
}
