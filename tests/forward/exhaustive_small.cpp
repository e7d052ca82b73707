// SPDX-License-Identifier: Apache-2.0
// Every small axis - extent 1-9, filter 1-5, stride 1-3, dilation 1-2, padding below the filter on
// either side - against the reference, bit for bit on integers. The other axis, batch 1-2, channels
// 1-5, multiplier 1-3 and the element type are drawn anew for each. Twice more for axes that the
// window family may take, then with another axis of the same filter and stride.
#include <algorithm>

#include "forward/axes.hpp"
#include "forward/case_queue.hpp"
#include "forward/element_queues.hpp"

namespace {

using dwconv::conv2d_problem;
using dwconv::layout;

/// Another axis with the filter and stride of `like`.
axis matching_axis(axis const& like, dice& random)
{
  for (;;) {
    axis const a{random.between(1, 9),
                 like.taps,
                 like.stride,
                 like.dilation,
                 random.between(0, like.taps - 1),
                 random.between(0, like.taps - 1)};
    if (a.fits()) { return a; }
  }
}

[[nodiscard]] bool suits_window(axis const& a)
{
  return (a.taps == 3 || a.taps == 5) && a.stride <= 2 && a.dilation == 1;
}

struct all_queues : element_queues<case_queue> {
  void finish(layout order)
  {
    flush();
    CHECK(wrong() == 0);
    int const windows = sum([](auto const& queue) { return queue.windows(); });
    CAPTURE(windows);
    if (order == layout::nchw) { CHECK(windows > 500); }
    if (order == layout::nhwc) { CHECK(windows == 0); }
    // Eight rounds of the axes that fit; no element type goes short.
    CHECK(count() > 16000);
    CHECK(fewest() > 3000);
  }
};

/// @param problem_with Makes a problem of the axis at hand and the other one.
template <typename Pair>
void sweep(std::uint64_t seed, layout order, Pair const& problem_with)
{
  all_queues queues;
  dice random{seed};
  for (int round = 0; round < 8; ++round) {
    for_each_axis(
      [&](axis const& a) { queues.add(problem_with(a, any_axis(random), random), random); });
  }
  for (int round = 0; round < 2; ++round) {
    for_each_axis([&](axis const& a) {
      if (suits_window(a)) {
        queues.add(problem_with(a, matching_axis(a, random), random), random);
      }
    });
  }
  queues.finish(order);
}

}  // namespace

TEST_CASE("every small axis of rows is exact, channels outside", "[sweep_rows_nchw]")
{
  sweep(1, layout::nchw, [](axis const& rows, axis const& other, dice& random) {
    return problem_of(rows, other, layout::nchw, random);
  });
}

TEST_CASE("every small axis of rows is exact, channels inside", "[sweep_rows_nhwc]")
{
  sweep(2, layout::nhwc, [](axis const& rows, axis const& other, dice& random) {
    return problem_of(rows, other, layout::nhwc, random);
  });
}

TEST_CASE("every small axis of columns is exact, channels outside", "[sweep_columns_nchw]")
{
  sweep(3, layout::nchw, [](axis const& columns, axis const& other, dice& random) {
    return problem_of(other, columns, layout::nchw, random);
  });
}

TEST_CASE("every small axis of columns is exact, channels inside", "[sweep_columns_nhwc]")
{
  sweep(4, layout::nhwc, [](axis const& columns, axis const& other, dice& random) {
    return problem_of(other, columns, layout::nhwc, random);
  });
}
