// SPDX-License-Identifier: Apache-2.0
#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

/// Large enough for several splits; the direct family's.
conv2d_problem problem_in(layout order)
{
  return {.batch       = 3,
          .channels    = 1,
          .multiplier  = 2,
          .input       = {101, 230},
          .filter      = {3, 5},
          .stride      = {1, 2},
          .pad         = {1, 1, 2, 2},
          .data_layout = order};
}

template <typename T>
[[nodiscard]] bool same_everywhere(gradient_case<T> const& c, gradient_aftermath<T> const& dx,
                                   gradient_aftermath<T> const& dfilter,
                                   gradient_aftermath<T> const& dbias, misalignment misalign)
{
  return same_bits(run_data(c, data_door{}, misalign).gradient, dx.gradient) &&
         same_bits(run_filter(c, filter_door{}, misalign).gradient, dfilter.gradient) &&
         same_bits(run_bias(c, bias_door{}, misalign).gradient, dbias.gradient);
}

}  // namespace

TEMPLATE_TEST_CASE("a filter's gradient in every family has the same bits, whatever runs first",
                   "[backward_determinism]", float, __half)
{
  // Whole planes of several images and channels; a strip a block; rows of 16-byte multiples.
  for (conv2d_problem const& problem :
       {conv2d_problem{
          .batch = 19, .channels = 5, .input = {7, 7}, .filter = {3, 3}, .pad = {1, 1, 1, 1}},
        conv2d_problem{
          .batch = 1, .channels = 2, .input = {90, 260}, .filter = {3, 3}, .pad = {1, 1, 1, 1}},
        conv2d_problem{
          .batch = 5, .channels = 3, .input = {9, 64}, .filter = {5, 5}, .pad = {2, 2, 2, 2}}}) {
    for (auto const family : {dwconv::kernel_family::window, dwconv::kernel_family::toeplitz}) {
      auto const plan = dwconv::make_backward_filter_plan<TestType>(problem, 0, family);
      if (std::is_same_v<TestType, float> && family == dwconv::kernel_family::toeplitz) {
        CHECK_FALSE(plan.outcome.ok());
        continue;
      }
      REQUIRE(plan.outcome.ok());
      REQUIRE(split_count(plan) > 1);
      auto const c       = real_gradients<TestType>(problem, 72);
      auto const door    = filter_door{.family = family};
      auto const dfilter = run_filter(c, door);
      REQUIRE(dfilter.fine());
      std::size_t moved = 0;
      under_every_schedule([&] {
        CHECK(same_bits(run_filter(c, door, misalignment{moved++}).gradient, dfilter.gradient));
      });
    }
  }
}

TEMPLATE_TEST_CASE("gradients have the same bits, whatever runs first and wherever buffers lie",
                   "[backward_determinism]", float, __half)
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const problem = problem_in(order);
    auto const of_filter         = dwconv::make_backward_filter_plan<TestType>(problem, 0);
    auto const of_bias           = dwconv::make_backward_bias_plan<TestType>(problem, 0);
    REQUIRE(split_count(of_filter) > 1);
    REQUIRE(of_bias.direct.split.splits > 1);
    auto const c       = real_gradients<TestType>(problem, 71);
    auto const dx      = run_data(c);
    auto const dfilter = run_filter(c);
    auto const dbias   = run_bias(c);
    REQUIRE(dx.fine());
    REQUIRE(dfilter.fine());
    REQUIRE(dbias.fine());
    std::size_t moved = 0;
    under_every_schedule(
      [&] { CHECK(same_everywhere(c, dx, dfilter, dbias, misalignment{moved++})); });
  }
}
