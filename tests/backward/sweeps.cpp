// SPDX-License-Identifier: Apache-2.0
// Every small axis, as of the forward sweeps, in every direction, against the reference, bit for
// bit on integers. The other axis, batch 1-2, channels 1-5, multiplier 1-3 and the element type are
// drawn anew for each.
#include "backward/gradient_queue.hpp"
#include "forward/axes.hpp"

namespace {

using dwconv::conv2d_problem;
using dwconv::layout;

conv2d_problem problem_of(axis const& rows, axis const& columns, layout order, dice& random)
{
  return {.batch       = random.between(1, 2),
          .channels    = random.between(1, 5),
          .multiplier  = std::max<std::int64_t>(random.between(-1, 3), 1),
          .input       = {rows.input, columns.input},
          .filter      = {rows.taps, columns.taps},
          .stride      = {rows.stride, columns.stride},
          .dilation    = {rows.dilation, columns.dilation},
          .pad         = {rows.before, rows.after, columns.before, columns.after},
          .data_layout = order};
}

/// One queue an element type.
struct all_queues {
  gradient_queue<float> singles;
  gradient_queue<double> doubles;
  gradient_queue<__half> halves;
  gradient_queue<__nv_bfloat16> bfloats;

  void add(conv2d_problem const& problem, dice& random)
  {
    std::uint64_t const seed = random.roll();
    switch (random.between(0, 3)) {
      case 0: return singles.add(problem, seed);
      case 1: return doubles.add(problem, seed);
      case 2: return halves.add(problem, seed);
      default: return bfloats.add(problem, seed);
    }
  }

  void finish(layout order)
  {
    singles.flush(), doubles.flush(), halves.flush(), bfloats.flush();
    CHECK(singles.wrong() + doubles.wrong() + halves.wrong() + bfloats.wrong() == 0);
    int const turned = singles.turned() + doubles.turned() + halves.turned() + bfloats.turned();
    CAPTURE(turned);
    if (order == layout::nchw) { CHECK(turned > 100); }
    if (order == layout::nhwc) { CHECK(turned == 0); }
    CHECK(singles.count() + doubles.count() + halves.count() + bfloats.count() > 2000);
    CHECK(std::min({singles.count(), doubles.count(), halves.count(), bfloats.count()}) > 400);
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
    return problem_of(rows, other, layout::nchw, random);
  });
}

TEST_CASE("gradients of every small axis of rows are exact, channels inside",
          "[backward_rows_nhwc]")
{
  sweep(12, layout::nhwc, [](axis const& rows, axis const& other, dice& random) {
    return problem_of(rows, other, layout::nhwc, random);
  });
}

TEST_CASE("gradients of every small axis of columns are exact, channels outside",
          "[backward_columns_nchw]")
{
  sweep(13, layout::nchw, [](axis const& columns, axis const& other, dice& random) {
    return problem_of(other, columns, layout::nchw, random);
  });
}

TEST_CASE("gradients of every small axis of columns are exact, channels inside",
          "[backward_columns_nhwc]")
{
  sweep(14, layout::nhwc, [](axis const& columns, axis const& other, dice& random) {
    return problem_of(other, columns, layout::nhwc, random);
  });
}
