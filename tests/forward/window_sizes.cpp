// SPDX-License-Identifier: Apache-2.0
// The window family gives the direct family's bits, whatever the size: where tiles, strips, windows
// of columns and runs of planes end.
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::kernel_family;

namespace {

/// Whether the planned tiles are whole planes, strips of full rows, or windows of columns.
enum class cut { planes, rows, columns };

template <typename T>
[[nodiscard]] cut cut_of(conv2d_problem const& problem)
{
  auto const tile   = dwconv::make_forward_plan<T>(problem, 0, kernel_family::window).window.tile;
  extent2 const out = dwconv::output_extent(problem);
  return tile.columns < out.width ? cut::columns : tile.rows < out.height ? cut::rows : cut::planes;
}

}  // namespace

TEMPLATE_TEST_CASE("every compiled window kernel is reached and gives the direct family's bits",
                   "[window_sizes]", float, double, __half, __nv_bfloat16)
{
  std::size_t reached = 0;
  for (auto const& shape : window_shapes()) {
    // On a GPU of its own size; the tiles of few planes depend on it.
    conv2d_problem const planes =
      problem_with_output(shape, {7, 10}, {1, 1, 1, 1}, {.batch = 8, .channels = 80});
    conv2d_problem const strips = problem_with_output(shape, {130, 130}, {1, 1, 1, 1});
    conv2d_problem const parts  = problem_with_output(
      shape, {21, shape.taps.height == 1 ? 2003 : 1003}, {1, 1, 1, 1});
    CHECK(cut_of<TestType>(planes) == cut::planes);
    CHECK(cut_of<TestType>(strips) == cut::rows);
    CHECK(cut_of<TestType>(parts) == cut::columns);
    for (conv2d_problem const& problem : {planes, strips, parts}) {
      auto const plan = dwconv::make_forward_plan<TestType>(problem, 0, kernel_family::window);
      CHECK(plan.family == kernel_family::window);
      CHECK(plan.compiled == shape);
      CHECK(same_as_direct<TestType>(problem));
    }
    // Of tall filters only where there is much to do; window_chunks runs their tiles.
    bool const tall = shape.taps.height > 5 && sizeof(TestType) == 4;
    conv2d_problem const much =
      problem_with_output(shape, {130, 1003}, {1, 1, 1, 1}, {.batch = 4, .channels = 16});
    CHECK(chunks_of(dwconv::make_forward_plan<TestType>(tall ? much : parts, 0,
                                                        kernel_family::window)) > 1);
    ++reached;
  }
  CHECK(reached == dwconv::default_instances::shapes.size() - 4);  // all but those for any filter
  CHECK(reached >= 8);
}

TEST_CASE("outputs of every height and width around the ends of tiles", "[window_sizes]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  int tried         = 0;
  for (std::int64_t const height : {1, 7, 8, 15, 16, 17, 33}) {
    for (std::int64_t const width :
         {1, 2, 5, 6, 7, 31, 224, 225, 447, 448, 449, 672, 673, 700, 961}) {
      // 105 sizes, 8 kernels, 4 types: each size meets two of either.
      for (int again = 0; again < 2; ++again, next += 3) {
        auto const& shape = shapes[(next / 2 + next / 10) % shapes.size()];
        auto const edge   = static_cast<std::int64_t>(next % 2);
        conv2d_problem const p =
          problem_with_output(shape, {height, width}, {edge, 1 - edge, edge, 1 - edge});
        if (!dwconv::validate(p).ok()) { continue; }  // one row of padding under one tap
        CHECK(same_as_direct(next, p));
        ++tried;
      }
    }
  }
  CHECK(tried > 180);
}

TEST_CASE("many small planes, not a multiple of what a tile holds", "[window_sizes]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  int uneven        = 0;
  for (std::int64_t height = 1; height <= 8; ++height) {
    for (std::int64_t width = 1; width <= 8; ++width, ++next) {
      auto const& shape           = shapes[next % shapes.size()];
      std::int64_t const round    = shape.taps.height / 2;
      std::int64_t const planes[] = {7, 33, 97, 1};
      conv2d_problem const p{.batch      = 1 + static_cast<std::int64_t>(next / 7 % 2) * 2,
                             .channels   = planes[next / 3 % 4],
                             .multiplier = 1 + static_cast<std::int64_t>(next / 5 % 4),
                             .input      = {height, width},
                             .filter     = shape.taps,
                             .stride     = shape.stride,
                             .pad        = {round, round, round, round}};
      auto const tile = dwconv::make_forward_plan<float>(p, 0).window.tile;
      uneven += p.batch * p.output_channels() % tile.planes != 0;
      CHECK(same_as_direct(next / 2, p));
    }
  }
  CHECK(uneven > 10);
}

TEST_CASE("several outputs a channel, in whole planes, strips and windows of columns",
          "[window_sizes]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::int64_t multiplier = 1; multiplier <= 4; ++multiplier) {
    for (extent2 const out : {extent2{5, 6}, extent2{40, 110}, extent2{18, 647}}) {
      for (std::int64_t const channels : {1, 3}) {
        CHECK(same_as_direct(
          next, problem_with_output(
                  shapes[(next / 4 + next) % shapes.size()], out, {1, 0, 1, 1},
                  {.batch = 4 - channels, .channels = channels, .multiplier = multiplier})));
        ++next;
      }
    }
  }
}
