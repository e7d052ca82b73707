// SPDX-License-Identifier: Apache-2.0
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

std::vector<conv2d_problem> typical_problems()
{
  std::vector<conv2d_problem> problems{
    {.batch = 2, .channels = 3, .input = {17, 19}, .filter = {1, 1}},
    {.batch = 1, .channels = 4, .input = {24, 40}, .filter = {3, 3}, .pad = {1, 1, 1, 1}},
    {.batch      = 1,
     .channels   = 3,
     .multiplier = 2,
     .input      = {23, 21},
     .filter     = {5, 5},
     .stride     = {2, 2},
     .pad        = {2, 2, 2, 2}},
    {.batch    = 1,
     .channels = 2,
     .input    = {30, 26},
     .filter   = {7, 7},
     .dilation = {2, 3},
     .pad      = {6, 6, 9, 9}},
    {.batch = 1, .channels = 2, .input = {13, 64}, .filter = {1, 31}, .pad = {.left = 30}},
    {.batch = 1, .channels = 1, .input = {28, 28}, .filter = {31, 31}, .pad = {15, 15, 15, 15}},
    {.batch = 1, .channels = 1, .input = {5, 5}, .filter = {9, 9}, .pad = {8, 8, 8, 8}}};
  std::size_t const outside = problems.size();
  for (std::size_t i = 0; i < outside; ++i) {
    problems.push_back(problems[i]);
    problems.back().data_layout = layout::nhwc;
  }
  return problems;
}

}  // namespace

TEMPLATE_TEST_CASE("every output is within the rounding error bound", "[accuracy]", float, double,
                   __half, __nv_bfloat16)
{
  for (conv2d_problem const& problem : typical_problems()) {
    CHECK(agrees(real_case<TestType>(problem, 11), tolerance::bound));
    CHECK(agrees(integer_case<TestType>(problem, 12), tolerance::none));
  }
}

TEMPLATE_TEST_CASE("half types are summed in float: small terms are not lost", "[accuracy]", __half,
                   __nv_bfloat16)
{
  // 1 + 624 * 2^-10: summed in T, each small term would vanish into the rounding of the sum.
  conv2d_problem const problem{.batch = 1, .channels = 1, .input = {25, 25}, .filter = {25, 25}};
  forward_case<TestType> c{problem, std::vector<TestType>(625, TestType(1.0f)),
                           std::vector<TestType>(625, TestType(0.0009765625f))};
  c.filter[0] = TestType(1.0f);
  CHECK(agrees(c, tolerance::bound));
  CHECK(agrees(c, tolerance::none));
}

TEMPLATE_TEST_CASE("sums of half types are rounded to nearest even", "[accuracy]", __half,
                   __nv_bfloat16)
{
  // Halfway between two elements, one above an even and one above an odd significand.
  constexpr bool is_half = std::is_same_v<TestType, __half>;
  constexpr float unit   = is_half ? 1.0f / 1024 : 1.0f / 128;
  conv2d_problem const problem{.batch = 1, .channels = 2, .input = {1, 2}, .filter = {1, 2}};
  forward_case<TestType> const c{
    problem,
    {TestType(1.0f), TestType(unit / 2), TestType(1.0f + unit), TestType(unit / 2)},
    std::vector<TestType>(4, TestType(1.0f))};
  std::vector<TestType> const y = output_of(c);
  REQUIRE(y.size() == 2);
  CHECK(dwconv_reference::to_double(y[0]) == 1.0);
  CHECK(dwconv_reference::to_double(y[1]) == 1.0 + 2.0 * unit);
}

TEST_CASE("a NaN or infinity in x reaches exactly the outputs whose window it is in", "[accuracy]")
{
  conv2d_problem const problem{
    .batch = 1, .channels = 2, .input = {5, 5}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  forward_case<float> c = integer_case<float>(problem);
  for (float& w : c.filter) { w = 1; }
  c.x[2 * 5 + 4]             = NAN;  // row 2, column 4 of channel 0
  c.x[25]                    = INFINITY;
  std::vector<float> const y = output_of(c);
  REQUIRE(y.size() == 50);
  int wrong = 0;
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 5; ++j) {
      auto const at = static_cast<std::size_t>(i * 5 + j);
      wrong += std::isnan(y[at]) != (i >= 1 && i <= 3 && j >= 3);
      wrong += std::isinf(y[25 + at]) != (i <= 1 && j <= 1);
    }
  }
  CHECK(wrong == 0);
}
