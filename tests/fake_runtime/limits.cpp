// SPDX-License-Identifier: Apache-2.0
#include <climits>

#include "record.hpp"
#include "support/catch.hpp"

namespace {

/// As many outputs as asked for, in one image of one row, one a thread: the window family has no
/// tiles with channels inside.
dwconv::conv2d_problem outputs(std::int64_t channels, std::int64_t width)
{
  return {.batch       = 1,
          .channels    = channels,
          .input       = {1, width},
          .filter      = {1, 1},
          .data_layout = dwconv::layout::nhwc};
}

}  // namespace

TEST_CASE("more than 2^32 outputs are launched in a grid the runtime takes", "[limits]")
{
  fake_cudart::reset();
  auto const problem = outputs(1 << 15, 1 << 20);  // 2^35
  REQUIRE(subject::forward(problem, somewhere(), callers_stream).message() == "success");
  auto const launch = the_launch();
  CHECK(launch.grid.x <= static_cast<unsigned>(INT_MAX));
  auto const threads = std::int64_t{launch.grid.x} * launch.grid.y * launch.grid.z * launch.block.x;
  CHECK(threads >= std::int64_t{1} << 35);
}

TEST_CASE("more than 2^32 outputs are launched in tiles that cover them", "[limits]")
{
  fake_cudart::reset();
  dwconv::conv2d_problem problem{
    .batch = 1 << 10, .channels = 1 << 5, .input = {1 << 10, 1 << 10}, .filter = {3, 3}};
  problem.pad     = {1, 1, 1, 1};  // 2^35 outputs
  auto const plan = subject::plan(problem, 0);
  REQUIRE(plan.family == dwconv::kernel_family::window);
  REQUIRE_FALSE(plan.compiled.any_filter());
  fake_cudart::calls().clear();
  REQUIRE(subject::run(plan, somewhere(), callers_stream).message() == "success");
  auto const launch = the_launch();
  auto const& tile  = plan.window.tile;
  CHECK(launch.grid.x == plan.blocks);
  CHECK(launch.grid.x <= static_cast<unsigned>(INT_MAX));
  CHECK(std::int64_t{launch.grid.x} * tile.planes * tile.rows * tile.columns >= std::int64_t{1}
                                                                                  << 35);
}

TEST_CASE("the largest grid is launched, and one block more is refused", "[limits]")
{
  fake_cudart::reset();
  auto const most = outputs(INT_MAX, 256);
  REQUIRE(subject::forward(most, somewhere(), callers_stream).message() == "success");
  CHECK(launches() == 1);

  fake_cudart::calls().clear();
  auto const more = outputs(std::int64_t{INT_MAX} + 1, 256);
  CHECK(subject::forward(more, somewhere(), callers_stream).code == dwconv::status_code::too_large);
  CHECK(launches() == 0);
}

TEST_CASE("past 2^31 elements the kernel counts with 64 bits", "[limits]")
{
  fake_cudart::reset();
  REQUIRE(subject::forward(outputs(1 << 15, 1 << 15), somewhere(), callers_stream).ok());
  auto const narrow = the_launch().kernel;
  fake_cudart::calls().clear();
  REQUIRE(subject::forward(outputs(1 << 15, 1 << 16), somewhere(), callers_stream).ok());
  auto const wide = the_launch().kernel;
  CHECK_FALSE(narrow.empty());
  CHECK_FALSE(wide.empty());
  CHECK(narrow != wide);
}
