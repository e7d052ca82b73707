// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
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

/// What the doors compile of the window family for known filters, and the direct family.
inline constexpr auto shapes_of_known_filters = [] {
  constexpr auto all = dwconv::default_instances::shapes;
  std::array<dwconv::compiled_shape, all.size() - 3> known{};
  std::size_t next = 0;
  for (dwconv::compiled_shape const& shape : all) {
    bool const any     = shape.family == dwconv::kernel_family::window && shape.taps.height == 0;
    bool const tensors = shape.family == dwconv::kernel_family::toeplitz;
    if (!any && !tensors) { known[next++] = shape; }
  }
  return known;
}();

/// The same plan if there were only those.
[[nodiscard]] constexpr dwconv::forward_plan planned_of_known(
  dwconv::conv2d_problem const& problem, dwconv::dtype type = dwconv::dtype::float32,
  std::optional<dwconv::kernel_family> only = {})
{
  return dwconv::plan_forward(problem, type, dwconv::h200_facts, shapes_of_known_filters, only);
}
