// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/planner.hpp>

/// The plan the doors would make on an H200.
[[nodiscard]] constexpr dwconv::forward_plan planned(dwconv::conv2d_problem const& problem,
                                                     dwconv::dtype type = dwconv::dtype::float32)
{
  return dwconv::plan_forward(problem, type, dwconv::h200_facts, dwconv::default_instances::shapes);
}
