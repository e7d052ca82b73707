// SPDX-License-Identifier: Apache-2.0
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

/// Input channel c holds c + 1 everywhere and every filter is 1: y tells which channel it read.
std::vector<float> channels_read(std::int64_t channels, std::int64_t multiplier, layout order)
{
  conv2d_problem const p{.batch       = 1,
                         .channels    = channels,
                         .multiplier  = multiplier,
                         .input       = {1, 1},
                         .filter      = {1, 1},
                         .data_layout = order};
  forward_case<float> c{p, std::vector<float>(x_size(p)), std::vector<float>(filter_size(p), 1)};
  for (std::size_t i = 0; i < c.x.size(); ++i) { c.x[i] = static_cast<float>(i + 1); }
  return output_of(c);
}

}  // namespace

TEST_CASE("output channel k reads input channel k / multiplier", "[multiplier]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    CHECK(channels_read(3, 2, order) == std::vector<float>{1, 1, 2, 2, 3, 3});
    CHECK(channels_read(2, 3, order) == std::vector<float>{1, 1, 1, 2, 2, 2});
    CHECK(channels_read(4, 1, order) == std::vector<float>{1, 2, 3, 4});
    CHECK(channels_read(1, 4, order) == std::vector<float>{1, 1, 1, 1});
  }
}

TEST_CASE("output channel k has filter k", "[multiplier]")
{
  conv2d_problem const p{
    .batch = 1, .channels = 2, .multiplier = 2, .input = {1, 1}, .filter = {1, 1}};
  CHECK(output_of(forward_case<float>{p, {10, 100}, {1, 2, 3, 4}}) ==
        std::vector<float>{10, 20, 300, 400});
}

TEST_CASE("multipliers of every size agree with the reference", "[multiplier]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const multiplier : {2, 3, 4, 7, 32}) {
      for (std::int64_t const channels : {1, 2, 3, 9}) {
        CHECK(agrees_with_reference<float>({.batch       = 2,
                                            .channels    = channels,
                                            .multiplier  = multiplier,
                                            .input       = {5, 6},
                                            .filter      = {3, 2},
                                            .pad         = {1, 0, 1, 1},
                                            .data_layout = order}));
      }
    }
  }
}
