// SPDX-License-Identifier: Apache-2.0
// Sizes at which blocks, tiles and vectors end.
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

TEST_CASE("as many outputs as threads in a block, one less and one more", "[sizes]")
{
  for (std::int64_t const width : {1, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1023, 1025}) {
    conv2d_problem const p{.batch = 1, .channels = 1, .input = {1, width}, .filter = {1, 1}};
    CHECK(agrees_with_reference<float>(p));
  }
}

TEST_CASE("odd widths, with a halo on both sides", "[sizes]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const width : {7, 37, 53, 225, 510}) {
      conv2d_problem const p{.batch       = 1,
                             .channels    = 3,
                             .input       = {4, width},
                             .filter      = {3, 3},
                             .pad         = {1, 1, 1, 1},
                             .data_layout = order};
      CHECK(agrees_with_reference<float>(p));
      CHECK(agrees_with_reference<__half>(p));
    }
  }
}

TEST_CASE("channels that fill no vector, one and a bit more", "[sizes]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const channels : {1, 7, 8, 9, 31, 33, 130}) {
      conv2d_problem const p{.batch       = 2,
                             .channels    = channels,
                             .input       = {5, 4},
                             .filter      = {3, 3},
                             .stride      = {1, 2},
                             .pad         = {1, 1, 1, 1},
                             .data_layout = order};
      CHECK(agrees_with_reference<__half>(p));
      CHECK(agrees_with_reference<double>(p));
    }
  }
}

TEST_CASE("filters larger than the image", "[sizes]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    CHECK(agrees_with_reference<float>({.batch       = 1,
                                        .channels    = 2,
                                        .input       = {1, 1},
                                        .filter      = {13, 11},
                                        .pad         = {12, 12, 10, 10},
                                        .data_layout = order}));
    CHECK(agrees_with_reference<float>({.batch       = 1,
                                        .channels    = 2,
                                        .input       = {3, 2},
                                        .filter      = {3, 5},
                                        .dilation    = {4, 3},
                                        .pad         = {8, 9, 12, 11},
                                        .data_layout = order}));
  }
}

TEST_CASE("outputs that see padding only are zero", "[sizes]")
{
  conv2d_problem const far{.batch    = 1,
                           .channels = 1,
                           .input    = {2, 2},
                           .filter   = {2, 2},
                           .stride   = {3, 3},
                           .pad      = {7, 8, 9, 6}};
  CHECK(agrees_with_reference<float>(far));
  std::vector<float> const y = output_of(real_case<float>(far));
  REQUIRE(!y.empty());
  CHECK(y.front() == 0);
  CHECK(y.back() == 0);
}

TEST_CASE("strides larger than the filter and than the image", "[sizes]")
{
  CHECK(agrees_with_reference<float>(
    {.batch = 2, .channels = 2, .input = {20, 33}, .filter = {2, 2}, .stride = {5, 7}}));
  CHECK(agrees_with_reference<float>(
    {.batch = 2, .channels = 2, .input = {5, 5}, .filter = {3, 3}, .stride = {100, 1000000}}));
}

TEST_CASE("dilation, stride and padding far past the image reach single taps", "[sizes]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const far : {1L << 20, 1L << 30, 1L << 33}) {
      // Along the width: one tap, many channels.
      CHECK(agrees_with_reference<float>({.batch       = 1,
                                          .channels    = 4096,
                                          .input       = {1, 3},
                                          .filter      = {1, 1},
                                          .stride      = {far, far},
                                          .dilation    = {far, far},
                                          .data_layout = order}));
      // Along the height: tap 0 is in the padding, tap 1 on the image.
      CHECK(agrees_with_reference<float>({.batch       = 1,
                                          .channels    = 3,
                                          .input       = {2, 4096},
                                          .filter      = {2, 1},
                                          .dilation    = {far, far},
                                          .pad         = {.top = far},
                                          .data_layout = order}));
    }
  }
}

TEST_CASE("the largest dilation of long rows steps nowhere where there is one tap", "[sizes]")
{
  // 2^40 rows of 2^23 elements: a step that 64 bits do not hold, and that no tap takes.
  conv2d_problem const p{.batch       = 1,
                         .channels    = 4096,
                         .input       = {1, 2048},
                         .filter      = {1, 1},
                         .stride      = {1, 4096},
                         .dilation    = {1L << 40, 1},
                         .data_layout = layout::nhwc};
  CHECK(agrees(integer_case<float>(p), tolerance::none));
}
