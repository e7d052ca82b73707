// SPDX-License-Identifier: Apache-2.0
// The toeplitz family against the reference: where blocks of columns, slots, strips, windows of
// columns and groups of planes end; every alignment; filters of each of its engines.
#include "forward/toeplitz_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;

TEST_CASE("toeplitz: small planes of every size", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t height = 1; height <= 40; height += 1 + height / 8) {
    for (std::int64_t width = 1; width <= 40; width += 1 + width / 12) {
      for (std::int64_t const k : {3, 5, 7}) {
        ++next;
        auto const stride = 1 + static_cast<std::int64_t>(next % 2);
        conv2d_problem const p{.batch    = 1 + static_cast<std::int64_t>(next % 5),
                               .channels = 1 + static_cast<std::int64_t>(next / 3 % 4),
                               .input    = {height, width},
                               .filter   = {k, k},
                               .stride   = {stride, stride},
                               .pad      = {k / 2, k / 2, k / 2, k / 2}};
        CHECK(toeplitz_agrees(next, p, next % 8));
      }
    }
  }
}
