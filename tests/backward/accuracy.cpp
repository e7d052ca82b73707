// SPDX-License-Identifier: Apache-2.0
#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

std::vector<conv2d_problem> typical_problems()
{
  std::vector<conv2d_problem> problems{
    {.batch = 2, .channels = 3, .input = {17, 19}, .filter = {1, 1}},
    {.batch = 3, .channels = 4, .input = {24, 40}, .filter = {3, 3}, .pad = {1, 1, 1, 1}},
    {.batch      = 2,
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
    {.batch    = 2,
     .channels = 2,
     .input    = {13, 37},
     .filter   = {4, 3},
     .stride   = {4, 6},
     .dilation = {6, 4},
     .pad      = {9, 11, 7, 8}},
    {.batch = 1, .channels = 2, .input = {13, 64}, .filter = {1, 31}, .pad = {.left = 30}},
    {.batch = 1, .channels = 1, .input = {14, 14}, .filter = {15, 15}, .pad = {7, 7, 7, 7}},
    {.batch = 1, .channels = 37, .input = {5, 5}, .filter = {9, 9}, .pad = {8, 8, 8, 8}}};
  std::size_t const outside = problems.size();
  for (std::size_t i = 0; i < outside; ++i) {
    problems.push_back(problems[i]);
    problems.back().data_layout = layout::nhwc;
  }
  return problems;
}

}  // namespace

TEMPLATE_TEST_CASE("every element of every gradient is within the rounding error bound",
                   "[backward_accuracy]", float, double, __half, __nv_bfloat16)
{
  for (conv2d_problem const& problem : typical_problems()) {
    CHECK(gradients_agree<TestType>(problem, 11));
  }
}

TEMPLATE_TEST_CASE("tensors of gradients may start at any element", "[backward_accuracy]", float,
                   double, __half, __nv_bfloat16)
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const p{.batch       = 2,
                           .channels    = 5,
                           .input       = {6, 7},
                           .filter      = {3, 3},
                           .pad         = {1, 1, 1, 1},
                           .data_layout = order};
    for (std::size_t const misalign : {1, 2, 3, 7}) {
      CHECK(gradients_agree<TestType>(p, 12, misalign));
    }
  }
}

TEST_CASE("padding wider than the filter leaves some of dy without any x", "[backward_accuracy]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const far{.batch       = 2,
                             .channels    = 2,
                             .input       = {2, 2},
                             .filter      = {2, 2},
                             .stride      = {3, 1},
                             .pad         = {7, 8, 9, 6},
                             .data_layout = order};
    CHECK(gradients_agree<float>(far));
    conv2d_problem wide = far;
    wide.stride         = {1, 1};
    CHECK(gradients_agree<float>(wide));
  }
}

TEST_CASE("x that no window meets has no gradient", "[backward_accuracy]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const sparse{.batch       = 1,
                                .channels    = 2,
                                .input       = {20, 33},
                                .filter      = {2, 2},
                                .stride      = {5, 7},
                                .data_layout = order};
    CHECK(gradients_agree<float>(sparse));
    auto const dx = run_data(real_gradients<float>(sparse)).gradient;
    CHECK(std::count(dx.begin(), dx.end(), 0.0f) > 1000);
  }
}

TEST_CASE("dilation, stride and padding far past the image reach single taps",
          "[backward_accuracy]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const far : {1L << 20, 1L << 30, 1L << 33}) {
      CHECK(gradients_agree<float>({.batch       = 1,
                                    .channels    = 70,
                                    .input       = {1, 3},
                                    .filter      = {1, 1},
                                    .stride      = {far, far},
                                    .dilation    = {far, far},
                                    .data_layout = order}));
      CHECK(gradients_agree<float>({.batch       = 1,
                                    .channels    = 3,
                                    .input       = {2, 40},
                                    .filter      = {2, 1},
                                    .dilation    = {far, far},
                                    .pad         = {.top = far},
                                    .data_layout = order}));
      // Two outputs a long stride apart, of which one sees the image.
      CHECK(gradients_agree<float>({.batch       = 1,
                                    .channels    = 3,
                                    .input       = {2, 5},
                                    .filter      = {3, 1},
                                    .stride      = {far - 1, 1},
                                    .dilation    = {2 * far, 1},
                                    .pad         = {.top = 4 * far, .bottom = far},
                                    .data_layout = order}));
    }
  }
}

TEST_CASE("half types are summed in float: small terms are not lost", "[backward_accuracy]")
{
  // 1 + 624 * 2^-10: summed in a half type, each small term would vanish.
  conv2d_problem const problem{
    .batch = 1, .channels = 1, .input = {25, 25}, .filter = {25, 25}, .pad = {24, 24, 24, 24}};
  gradient_case<__half> c{problem, std::vector<__half>(625, __half(0.0009765625f)),
                          std::vector<__half>(49 * 49, __half(1.0f)),
                          std::vector<__half>(625, __half(0.0009765625f))};
  c.filter[0] = c.x[0] = __half(1.0f);
  CHECK(data_agrees(c, tolerance::none));
  CHECK(filter_agrees(c, tolerance::none));
  CHECK(filter_agrees<__half, float>(c, tolerance::none));
}

TEST_CASE("long sums in float keep their accuracy", "[backward_accuracy]")
{
  // One after the other, 400000 terms of a tenth would be off by 2^-24 * 40000 each time at the
  // end.
  conv2d_problem const problem{.batch = 4, .channels = 1, .input = {250, 400}, .filter = {1, 1}};
  gradient_case<float> const c{
    problem, std::vector<float>(400000, 0.1f), std::vector<float>(400000, 1.0f), {1.0f}};
  CHECK(filter_agrees(c, tolerance::bound));
  CHECK(bias_agrees(c, tolerance::bound));
  double const exact = 400000 * static_cast<double>(0.1f);
  CHECK(std::fabs(static_cast<double>(run_filter(c).gradient.at(0)) - exact) < 1e-6 * exact);
  auto const plan = dwconv::make_backward_filter_plan<float>(problem, 0);
  CHECK(longest_chain(plan) < 400);
}

TEST_CASE("a NaN in dy reaches what met it, and in the window family its filter's other taps", "[backward_accuracy]")
{
  conv2d_problem const problem{
    .batch = 1, .channels = 2, .input = {5, 5}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  auto c             = integer_gradients<float>(problem);
  c.dy[2 * 5 + 4]    = NAN;  // row 2, column 4 of channel 0
  auto const dx      = run_data(c).gradient;
  auto const dfilter = run_filter(c, filter_door{.family = dwconv::kernel_family::direct}).gradient;
  auto const window  = run_filter(c, filter_door{.family = dwconv::kernel_family::window}).gradient;
  auto const dbias   = run_bias(c).gradient;
  int wrong          = 0;
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 5; ++j) {
      auto const at = static_cast<std::size_t>(i * 5 + j);
      wrong += std::isnan(dx[at]) != (i >= 1 && i <= 3 && j >= 3);
      wrong += std::isnan(dx[25 + at]);
    }
  }
  // The window of that output reaches past the right edge with its last column of taps.
  for (std::size_t tap = 0; tap < 18; ++tap) {
    wrong += std::isnan(dfilter[tap]) != (tap < 9 && tap % 3 < 2);
    // There columns of padding are zeros that take part: 0 * NaN. Never in another channel.
    wrong += std::isnan(window[tap]) != (tap < 9);
  }
  CHECK(wrong == 0);
  CHECK(std::isnan(dbias[0]));
  CHECK_FALSE(std::isnan(dbias[1]));
}
