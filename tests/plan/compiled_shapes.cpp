// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/planner.hpp>

#include "support/catch.hpp"

using dwconv::compiled_shape;
using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::forward_plan;
using dwconv::status;
using dwconv::status_code;

namespace {

constexpr conv2d_problem problem{
  .batch = 1, .channels = 2, .input = {9, 9}, .filter = {3, 5}, .stride = {2, 1}};

forward_plan planned_from(std::vector<compiled_shape> const& shapes)
{
  return dwconv::plan_forward(problem, dwconv::dtype::float32, dwconv::h200_facts, shapes);
}

status mismatch(char const* argument, std::int64_t value, std::int64_t limit)
{
  return {.code = status_code::mismatch, .argument = argument, .value = value, .limit = limit};
}

}  // namespace

TEST_CASE("a compiled shape takes its own filter and stride; zeros take any", "[compiled_shapes]")
{
  CHECK(compiled_shape{{3, 5}, {2, 1}}.takes(problem));
  CHECK(compiled_shape{{0, 0}, {2, 1}}.takes(problem));
  CHECK(compiled_shape{{3, 5}, {0, 0}}.takes(problem));
  CHECK(compiled_shape{{0, 0}, {0, 0}}.takes(problem));
  CHECK_FALSE(compiled_shape{{5, 3}, {2, 1}}.takes(problem));
  CHECK_FALSE(compiled_shape{{3, 5}, {1, 2}}.takes(problem));
  CHECK_FALSE(compiled_shape{{3, 4}, {0, 0}}.takes(problem));
  CHECK_FALSE(compiled_shape{{0, 0}, {2, 2}}.takes(problem));
}

TEST_CASE("the first compiled shape that takes the problem is planned", "[compiled_shapes]")
{
  compiled_shape const other{{3, 3}, {1, 1}}, exact{{3, 5}, {2, 1}}, any{{0, 0}, {0, 0}};
  CHECK(planned_from({exact, any}).compiled == exact);
  CHECK(planned_from({any, exact}).compiled == any);
  CHECK(planned_from({other, exact, any}).compiled == exact);
  CHECK(planned_from({other, any}).compiled == any);
}

TEST_CASE("a problem that no compiled shape takes is a mismatch that names the axis",
          "[compiled_shapes]")
{
  CHECK(planned_from({{{1, 5}, {2, 1}}}).outcome == mismatch("filter.height", 3, 1));
  CHECK(planned_from({{{3, 3}, {2, 1}}}).outcome == mismatch("filter.width", 5, 3));
  CHECK(planned_from({{{3, 5}, {1, 1}}}).outcome == mismatch("stride.height", 2, 1));
  CHECK(planned_from({{{3, 5}, {2, 3}}}).outcome == mismatch("stride.width", 1, 3));
  CHECK(planned_from({{{0, 0}, {2, 3}}}).outcome == mismatch("stride.width", 1, 3));
  CHECK(planned_from({{{3, 3}, {2, 1}}}).outcome.message() ==
        "filter.width is 5, must be 3 as planned or compiled");
}

TEST_CASE("no compiled shapes at all is a mismatch too", "[compiled_shapes]")
{
  CHECK(planned_from({}).outcome == mismatch("number of compiled instances", 0, 0));
}

TEST_CASE("an invalid problem is called invalid before it is called uncompiled",
          "[compiled_shapes]")
{
  conv2d_problem wrong = problem;
  wrong.channels       = 0;
  std::vector<compiled_shape> const shapes{{{7, 7}, {1, 1}}};
  CHECK(dwconv::plan_forward(wrong, dwconv::dtype::float32, dwconv::h200_facts, shapes).outcome ==
        dwconv::validate(wrong));
}

TEST_CASE("instances carry their filter and stride, in the order listed", "[compiled_shapes]")
{
  using list = dwconv::instance_list<dwconv::instance<dwconv::taps<3, 5>, dwconv::stride<2, 1>>,
                                     dwconv::instance<dwconv::any_taps, dwconv::any_stride>>;
  static_assert(list::shapes.size() == 2);
  static_assert(list::shapes[0] == compiled_shape{extent2{3, 5}, extent2{2, 1}});
  static_assert(list::shapes[1] == compiled_shape{extent2{0, 0}, extent2{0, 0}});
  CHECK(dwconv::default_instances::shapes.back().takes(problem));
}
