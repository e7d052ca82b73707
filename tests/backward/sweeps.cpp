// SPDX-License-Identifier: Apache-2.0
// Every small axis, as of the forward sweeps, in every direction, against the reference, bit for
// bit on integers. The other axis, batch 1-2, channels 1-5, multiplier 1-3 and the element type are
// drawn anew for each.
#include "backward/gradient_queue.hpp"
#include "forward/axes.hpp"
#include "forward/element_queues.hpp"

namespace {

using dwconv::conv2d_problem;
using dwconv::layout;

struct all_queues : element_queues<gradient_queue> {
  void finish(layout order)
  {
    flush();
    CHECK(wrong() == 0);
    int const turned = sum([](auto const& queue) { return queue.turned(); });
    CAPTURE(turned);
    if (order == layout::nchw) { CHECK(turned > 100); }
    if (order == layout::nhwc) { CHECK(turned == 0); }
    CHECK(count() > 2000);
    CHECK(fewest() > 400);
  }
};

/// @param problem_with Makes a problem of the axis at hand and the other one.
template <typename Pair>
void sweep(std::uint64_t seed, layout order, Pair const& problem_with)
{
  all_queues queues;
  dice random{seed};
  for_each_axis(
    [&](axis const& a) { queues.add(problem_with(a, any_axis(random), random), random); });
  queues.finish(order);
}

}  // namespace

TEST_CASE("gradients of every small axis of rows are exact, channels outside",
          "[backward_rows_nchw]")
{
  sweep(11, layout::nchw, [](axis const& rows, axis const& other, dice& random) {
    return problem_of(rows, other, layout::nchw, random, -1);
  });
}

TEST_CASE("gradients of every small axis of rows are exact, channels inside",
          "[backward_rows_nhwc]")
{
  sweep(12, layout::nhwc, [](axis const& rows, axis const& other, dice& random) {
    return problem_of(rows, other, layout::nhwc, random, -1);
  });
}

TEST_CASE("gradients of every small axis of columns are exact, channels outside",
          "[backward_columns_nchw]")
{
  sweep(13, layout::nchw, [](axis const& columns, axis const& other, dice& random) {
    return problem_of(other, columns, layout::nchw, random, -1);
  });
}

TEST_CASE("gradients of every small axis of columns are exact, channels inside",
          "[backward_columns_nhwc]")
{
  sweep(14, layout::nhwc, [](axis const& columns, axis const& other, dice& random) {
    return problem_of(other, columns, layout::nhwc, random, -1);
  });
}
