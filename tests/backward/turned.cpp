// SPDX-License-Identifier: Apache-2.0
// dx by the forward kernels, their filter turned: each of them, at sizes where its tiles end, with
// padding that differs on all sides; the bits are the direct family's where both add one by one.
#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::kernel_family;

namespace {

template <typename T>
dwconv::forward_plan check_turned(conv2d_problem const& p, kernel_family family)
{
  CAPTURE(describe(p));
  auto const plan = dwconv::make_backward_data_plan<T>(p, 0, family);
  REQUIRE(plan.outcome.ok());
  REQUIRE(plan.family == family);
  CHECK(data_agrees(integer_gradients<T>(p, 41), tolerance::none, data_door{family}));
  auto const real = real_gradients<T>(p, 42);
  CHECK(data_agrees(real, tolerance::bound, data_door{family}));
  if (family == kernel_family::window) {
    auto const turned = run_data(real, data_door{family});
    auto const direct = run_data(real, data_door{kernel_family::direct});
    CHECK(same_bits(turned.gradient, direct.gradient));
  }
  return plan.turned;
}

/// Padding of every side that turns into none up to the whole filter.
conv2d_problem problem_of(dwconv::extent2 input, dwconv::extent2 filter, std::int64_t batch = 2)
{
  return {.batch    = batch,
          .channels = 3,
          .input    = input,
          .filter   = filter,
          .pad      = {filter.height - 1, filter.height / 2, filter.width / 3, filter.width - 1}};
}

}  // namespace

TEMPLATE_TEST_CASE("window kernels of one filter turn it", "[turned]", float, double, __half)
{
  for (dwconv::extent2 const filter :
       {dwconv::extent2{3, 3}, {5, 5}, {7, 7}, {3, 1}, {3, 7}, {1, 4}}) {
    check_turned<TestType>(problem_of({9, 14}, filter), kernel_family::window);
    check_turned<TestType>(problem_of({33, 61}, filter), kernel_family::window);
  }
}

TEMPLATE_TEST_CASE("window kernels of any filter turn it", "[turned]", float, double, __half)
{
  for (dwconv::extent2 const filter :
       {dwconv::extent2{2, 2}, {4, 3}, {1, 9}, {6, 1}, {9, 7}, {13, 15}}) {
    check_turned<TestType>(problem_of({17, 29}, filter), kernel_family::window);
    conv2d_problem dilated = problem_of({26, 33}, filter);
    dilated.dilation       = {2, 3};
    check_turned<TestType>(dilated, kernel_family::window);
  }
}

TEMPLATE_TEST_CASE("toeplitz kernels turn the filter", "[turned]", __half, __nv_bfloat16)
{
  for (dwconv::extent2 const filter : {dwconv::extent2{3, 3},
                                       {5, 5},
                                       {7, 7},
                                       {9, 9},
                                       {11, 11},
                                       {13, 13},
                                       {4, 5},
                                       {2, 12},
                                       {5, 21},
                                       {17, 35},
                                       {3, 67}}) {
    check_turned<TestType>(problem_of({18, 40}, filter), kernel_family::toeplitz);
    check_turned<TestType>(problem_of({23, 35}, filter, 1), kernel_family::toeplitz);
  }
}

TEST_CASE("stacks of large filters turn them", "[turned]")
{
  for (dwconv::extent2 const filter : {dwconv::extent2{21, 19}, {27, 27}, {31, 33}}) {
    conv2d_problem const p{
      .batch    = 3,
      .channels = 3,
      .input    = {20, 36},
      .filter   = filter,
      .pad      = {filter.height / 2, filter.height / 2 - 1, filter.width / 2, filter.width / 3}};
    CHECK(check_turned<__half>(p, kernel_family::toeplitz).toeplitz.stacks);
  }
}

TEST_CASE("walks along planes of one row turn the filter", "[turned]")
{
  for (std::int64_t const taps : {3, 8, 13}) {
    conv2d_problem const p{
      .batch = 2, .channels = 3, .input = {1, 301}, .filter = {1, taps}, .pad = {0, 0, 1, 2}};
    CHECK(check_turned<__half>(p, kernel_family::toeplitz).toeplitz.along);
  }
}
