// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/describe.hpp>
#include <dwconv/plan/planner.hpp>

/// Planning needs neither nvcc nor a GPU.
int main()
{
  dwconv::conv2d_problem const problem{
    .batch = 1, .channels = 8, .input = {7, 7}, .filter = {3, 3}};
  auto const plan = dwconv::plan_forward(problem, dwconv::dtype::float32, dwconv::h200_facts,
                                         dwconv::default_instances::shapes);
  std::printf("%s", dwconv::describe(plan).c_str());
  return plan.outcome.ok() ? 0 : 1;
}
