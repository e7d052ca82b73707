// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/planner.hpp>

#include "support/catch.hpp"

using dwconv::compiled_shape;
using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::forward_plan;
using dwconv::kernel_family;
using dwconv::status;
using dwconv::status_code;

namespace {

constexpr conv2d_problem problem{
  .batch = 1, .channels = 2, .input = {9, 9}, .filter = {3, 5}, .stride = {2, 1}};

constexpr compiled_shape direct(extent2 taps, extent2 stride)
{
  return {kernel_family::direct, taps, stride};
}
constexpr compiled_shape window(extent2 taps, extent2 stride)
{
  return {kernel_family::window, taps, stride};
}

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
  CHECK(direct({3, 5}, {2, 1}).takes(problem));
  CHECK(direct({0, 0}, {2, 1}).takes(problem));
  CHECK(direct({3, 5}, {0, 0}).takes(problem));
  CHECK(direct({0, 0}, {0, 0}).takes(problem));
  CHECK_FALSE(direct({5, 3}, {2, 1}).takes(problem));
  CHECK_FALSE(direct({3, 5}, {1, 2}).takes(problem));
  CHECK_FALSE(direct({3, 4}, {0, 0}).takes(problem));
  CHECK_FALSE(direct({0, 0}, {2, 2}).takes(problem));
}

TEST_CASE("the first compiled shape that takes the problem is planned", "[compiled_shapes]")
{
  compiled_shape const other = direct({3, 3}, {1, 1}), exact = direct({3, 5}, {2, 1}),
                       any = direct({0, 0}, {0, 0});
  CHECK(planned_from({exact, any}).compiled == exact);
  CHECK(planned_from({any, exact}).compiled == any);
  CHECK(planned_from({other, exact, any}).compiled == exact);
  CHECK(planned_from({other, any}).compiled == any);
}

TEST_CASE("the window family is preferred wherever it is listed", "[compiled_shapes]")
{
  compiled_shape const slow = direct({0, 0}, {0, 0}), fast = window({3, 5}, {2, 1});
  CHECK(planned_from({slow, fast}).compiled == fast);
  CHECK(planned_from({fast, slow}).compiled == fast);
  CHECK(planned_from({window({5, 3}, {2, 1}), slow}).compiled == slow);
  CHECK(planned_from({fast}).family == kernel_family::window);
}

TEST_CASE("a problem that no compiled shape takes is a mismatch that names the axis",
          "[compiled_shapes]")
{
  CHECK(planned_from({direct({1, 5}, {2, 1})}).outcome == mismatch("filter.height", 3, 1));
  CHECK(planned_from({direct({3, 3}, {2, 1})}).outcome == mismatch("filter.width", 5, 3));
  CHECK(planned_from({direct({3, 5}, {1, 1})}).outcome == mismatch("stride.height", 2, 1));
  CHECK(planned_from({direct({3, 5}, {2, 3})}).outcome == mismatch("stride.width", 1, 3));
  CHECK(planned_from({direct({0, 0}, {2, 3})}).outcome == mismatch("stride.width", 1, 3));
  CHECK(planned_from({direct({3, 3}, {2, 1})}).outcome.message() ==
        "filter.width is 5, must be 3 as planned or compiled");
}

TEST_CASE("no compiled shapes at all is a mismatch too", "[compiled_shapes]")
{
  CHECK(planned_from({}).outcome == mismatch("number of compiled kernels", 0, 1));
}

TEST_CASE("an invalid problem is called invalid before it is called uncompiled",
          "[compiled_shapes]")
{
  conv2d_problem wrong = problem;
  wrong.channels       = 0;
  std::vector<compiled_shape> const shapes{direct({7, 7}, {1, 1})};
  CHECK(dwconv::plan_forward(wrong, dwconv::dtype::float32, dwconv::h200_facts, shapes).outcome ==
        dwconv::validate(wrong));
}

TEST_CASE("instances carry their family, filter and stride, in the order listed",
          "[compiled_shapes]")
{
  using list =
    dwconv::instance_list<dwconv::window_instance<dwconv::taps<3, 5>, dwconv::stride<2, 1>>,
                          dwconv::direct_instance<dwconv::any_taps, dwconv::any_stride>>;
  static_assert(list::shapes.size() == 2);
  static_assert(list::shapes[0] == window({3, 5}, {2, 1}));
  static_assert(list::shapes[1] == direct({0, 0}, {0, 0}));
  CHECK(dwconv::default_instances::shapes.back().takes(problem));
}
