// SPDX-License-Identifier: Apache-2.0
#include <dwconv/plan/describe.hpp>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::describe;

namespace {

constexpr conv2d_problem problem{.batch       = 2,
                                 .channels    = 3,
                                 .multiplier  = 2,
                                 .input       = {7, 9},
                                 .filter      = {3, 2},
                                 .stride      = {2, 1},
                                 .dilation    = {1, 3},
                                 .pad         = {.top = 1, .bottom = 0, .left = 2, .right = 4},
                                 .data_layout = dwconv::layout::nhwc};

}  // namespace

TEST_CASE("an extent is described height first", "[describe]")
{
  CHECK(describe(dwconv::extent2{3, 5}) == "3x5");
}

TEST_CASE("a problem is described in one line that ends in the output", "[describe]")
{
  CHECK(
    describe(problem) ==
    "2x3x7x9 nhwc, filter 3x2, stride 2x1, dilation 1x3, pad 1,0,2,4, multiplier 2 -> 2x6x3x12");
}

TEST_CASE("an invalid problem is described as far as it goes", "[describe]")
{
  conv2d_problem wrong = problem;
  wrong.stride         = {0, INT64_MIN};
  CHECK(describe(wrong) ==
        "2x3x7x9 nhwc, filter 3x2, stride 0x-9223372036854775808, dilation 1x3, pad 1,0,2,4, "
        "multiplier 2");
}

TEST_CASE("a plan is described with family, instance, grid and traffic", "[describe]")
{
  // 2*6*3*12 = 432 outputs.
  CHECK(describe(planned(problem, dwconv::dtype::float16, dwconv::kernel_family::direct)) ==
        "forward float16 " + describe(problem) +
          "\n"
          "  not window: another family is asked for\n"
          "  not toeplitz: another family is asked for\n"
          "  family direct: takes every problem\n"
          "  compiled for filter any, stride any, 32-bit indices\n"
          "  tile of 256 neighbouring outputs, one a thread\n"
          "  2 blocks of 256 threads, 0 bytes of shared memory each\n"
          "  at least 828 bytes read and 864 written\n");
}

TEST_CASE("a plan for one compiled shape names it, and 64-bit indices too", "[describe]")
{
  using dwconv::kernel_family;
  auto plan         = planned(problem, dwconv::dtype::float32, kernel_family::direct);
  plan.compiled     = {kernel_family::direct, {3, 2}, {2, 1}};
  plan.direct.index = dwconv::index_width::bits64;
  CHECK(describe(plan).find("compiled for filter 3x2, stride 2x1, 64-bit indices\n") !=
        std::string::npos);
}

TEST_CASE("a plan of the window family is described with its tile", "[describe]")
{
  conv2d_problem const large{
    .batch = 2, .channels = 3, .input = {256, 512}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  dwconv::forward_plan const plan = planned(large);
  REQUIRE(plan.family == dwconv::kernel_family::window);
  auto const number        = [](auto value) { return std::to_string(value); };
  std::string const chunks = number(lay_out_tile(plan.problem, plan.window.tile, 4, 0).chunks);
  CHECK(describe(plan) ==
        "forward float32 " + describe(large) +
          "\n"
          "  family window: reads x once, in tiles\n"
          "  not toeplitz: tensor cores multiply half types only\n"
          "  not direct: takes every problem\n"
          "  compiled for filter 3x3, stride 1x1\n"
          "  tile of " +
          number(plan.window.tile.planes) + " planes of y, " + number(plan.window.tile.rows) +
          " rows by " + number(plan.window.tile.columns) + " columns, in " + chunks +
          (chunks == "1" ? " chunk" : " chunks") + "; at most " +
          number(plan.window.rows_per_thread) + " rows by " + number(plan.window.piece.columns) +
          " columns a thread\n  " + number(plan.blocks) + " blocks of " + number(plan.threads) +
          " threads, " + number(plan.shared_bytes) +
          " bytes of shared memory each\n"
          "  at least 3145836 bytes read and 3145728 written\n");
}

TEST_CASE("a tile is described with its chunks, one or several", "[describe]")
{
  conv2d_problem const large{
    .batch = 2, .channels = 3, .input = {256, 512}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  dwconv::forward_plan plan = planned(large);
  plan.window               = {.tile            = {.planes = 5, .rows = 16, .columns = 512, .steps = 18},
                               .piece           = {7, 0},
                               .rows_per_thread = 8};
  CHECK(
    describe(plan).find("\n  tile of 5 planes of y, 16 rows by 512 columns, in 1 chunk; at most "
                        "8 rows by 7 columns a thread\n") != std::string::npos);
  plan.window.tile.steps = 4;
  CHECK(describe(plan).find(" columns, in 5 chunks; at most ") != std::string::npos);
}

TEST_CASE("a plan for any filter is described with images, channels, rows and columns",
          "[describe]")
{
  conv2d_problem const small{
    .batch = 2, .channels = 40, .input = {7, 7}, .filter = {13, 13}, .pad = {6, 6, 6, 6}};
  dwconv::forward_plan const plan = planned(small);
  REQUIRE(plan.compiled.any_filter());
  dwconv::lattice_tile const tile = plan.any_filter.tile;
  auto const number               = [](auto value) { return std::to_string(value); };
  CHECK(describe(plan).find("  family window: reads x once, in tiles\n"
                            "  not toeplitz: tensor cores multiply half types only\n"
                            "  not direct: takes every problem\n"
                            "  compiled for filter any, stride any\n"
                            "  tile of " +
                            number(tile.images) + " images, " + number(tile.channels) +
                            " channels, 7 rows by 7 columns of y\n") != std::string::npos);
}

TEST_CASE("a plan of a window for filters known at run time says that it slides", "[describe]")
{
  conv2d_problem const small{
    .batch = 2, .channels = 40, .input = {7, 7}, .filter = {3, 5}, .pad = {1, 1, 2, 2}};
  dwconv::forward_plan const plan = planned(small);
  REQUIRE(plan.compiled.slides);
  CHECK(describe(plan).find("  compiled for filter any, stride any, which a window slides along\n"
                            "  tile of " +
                            std::to_string(plan.window.tile.planes) + " planes of y, " +
                            std::to_string(plan.window.tile.rows) +
                            " rows by 7 columns, in 1 chunk; at most ") != std::string::npos);
}

TEST_CASE("no plan is described by the reason", "[describe]")
{
  conv2d_problem wrong = problem;
  wrong.channels       = -4;
  CHECK(describe(planned(wrong)) ==
        "forward float32 " + describe(wrong) + "\n  no plan: channels is -4, must be at least 1\n");
}
