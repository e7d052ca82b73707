// SPDX-License-Identifier: Apache-2.0
// Every small axis - extent 1-9, filter 1-5, stride 1-3, dilation 1-2, padding below the filter on
// either side - against the reference, bit for bit on integers. The other axis, batch 1-2, channels
// 1-5, multiplier 1-3 and the element type are drawn anew for each. Twice more for axes that the
// window family may take, then with another axis of the same filter and stride.
#include <algorithm>

#include "forward/axes.hpp"
#include "forward/case_queue.hpp"

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

conv2d_problem problem_of(axis const& rows, axis const& columns, layout order, dice& random)
{
  return {.batch       = random.between(1, 2),
          .channels    = random.between(1, 5),
          .multiplier  = random.between(1, 3),
          .input       = {rows.input, columns.input},
          .filter      = {rows.taps, columns.taps},
          .stride      = {rows.stride, columns.stride},
          .dilation    = {rows.dilation, columns.dilation},
          .pad         = {rows.before, rows.after, columns.before, columns.after},
          .data_layout = order};
}

/// One queue an element type.
struct all_queues {
  case_queue<float> singles;
  case_queue<double> doubles;
  case_queue<__half> halves;
  case_queue<__nv_bfloat16> bfloats;

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
    int const windows =
      singles.windows() + doubles.windows() + halves.windows() + bfloats.windows();
    CAPTURE(windows);
    if (order == layout::nchw) { CHECK(windows > 500); }
    if (order == layout::nhwc) { CHECK(windows == 0); }
    // Eight rounds of the axes that fit; no element type goes short.
    CHECK(singles.count() + doubles.count() + halves.count() + bfloats.count() > 16000);
    CHECK(std::min({singles.count(), doubles.count(), halves.count(), bfloats.count()}) > 3000);
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
