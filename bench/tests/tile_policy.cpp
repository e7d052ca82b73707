// SPDX-License-Identifier: Apache-2.0
// Which tiles the benchmark puts in the place of planned ones, and what it adds to them.
#include <string>
#include <vector>

#include <dwconv/dispatch/instances.hpp>

#include "support/catch.hpp"
#include "tile_policy.hpp"

using dwconv::conv2d_problem;
using dwconv::dtype;
using dwconv::forward_plan;
using dwconv::window_policy;
using dwconv_bench::complete_policy;
using dwconv_bench::has_window_tile;
using dwconv_bench::obstacle_to_tile;
using dwconv_bench::tile_text;
using dwconv_bench::with_tile;

namespace {

forward_plan plan_of(conv2d_problem const& p, dtype type = dtype::float32)
{
  return plan_forward(p, type, dwconv::h200_facts, dwconv::default_instances::shapes);
}

/// Height, width and filter as given, 6 planes, padded to keep its extent.
conv2d_problem square(std::int64_t height, std::int64_t width, std::int64_t taps)
{
  return {.batch    = 2,
          .channels = 3,
          .input    = {height, width},
          .filter   = {taps, taps},
          .pad      = {.top = taps / 2, .bottom = taps / 2, .left = taps / 2, .right = taps / 2}};
}

/// Planes, rows, columns, steps, rows a thread, columns and rows of the piece.
window_policy tile(int planes, int rows, int columns, int steps, int walk, int piece_columns,
                   int piece_rows = 0)
{
  window_policy policy{};
  policy.tile            = {planes, rows, columns, steps};
  policy.piece           = {piece_columns, piece_rows};
  policy.rows_per_thread = walk;
  return policy;
}

std::string obstacle(conv2d_problem const& p, window_policy const& policy,
                     dtype type = dtype::float32)
{
  char const* const text = obstacle_to_tile(plan_of(p, type), complete_policy(p, policy));
  return text != nullptr ? text : "";
}

}  // namespace

TEST_CASE("In one chunk steps and rows a thread are no more than the tile has", "[tile_policy]")
{
  auto const p      = square(14, 28, 3);
  auto const policy = complete_policy(p, tile(2, 14, 28, 1000, 50, 7));
  CHECK(policy == [] {
    auto expected    = tile(2, 14, 28, 16, 14, 7);
    expected.threads = 32;
    return expected;
  }());
}

TEST_CASE("In several chunks a thread takes all rows of the tile", "[tile_policy]")
{
  auto const policy = complete_policy(square(100, 700, 3), tile(1, 40, 350, 4, 5, 7));
  CHECK(policy.rows_per_thread == 40);
  CHECK(policy.tile.steps == 4);
  CHECK(policy.threads == 64);  // 50, in whole warps
}

TEST_CASE("A planned tile is complete, suits, and gives the same plan", "[tile_policy]")
{
  int seen = 0;
  for (std::int64_t const taps : {3, 5, 7}) {
    for (std::int64_t const stride : {1, 2}) {
      for (std::int64_t const height : {1, 7, 14, 30, 57, 300}) {
        for (std::int64_t const width : {7, 14, 31, 60, 230, 900, 3000}) {
          for (dtype const type : {dtype::float32, dtype::float16, dtype::float64}) {
            auto p          = square(height, width, taps);
            p.stride        = {stride, stride};
            auto const plan = plan_of(p, type);
            if (!has_window_tile(plan)) { continue; }
            CAPTURE(height, width, taps, stride, name_of(type), tile_text(plan.window));
            CHECK(complete_policy(p, plan.window) == plan.window);
            CHECK(obstacle(p, plan.window, type).empty());
            CHECK(with_tile(plan, plan.window) == plan);
            ++seen;
          }
        }
      }
    }
  }
  CHECK(seen > 400);
}

TEST_CASE("A tile changes what is launched", "[tile_policy]")
{
  auto const p      = square(14, 28, 3);
  auto const policy = complete_policy(p, tile(2, 14, 28, 16, 7, 7));
  auto const plan   = with_tile(plan_of(p), policy);
  CHECK(plan.window == policy);
  CHECK(plan.threads == 32);
  CHECK(plan.blocks == 3);
  // 128 for barriers; x with 20 elements around; y with 8 behind; both in lines of 128 bytes.
  CHECK(plan.shared_bytes == 128 + 4 * (832 + 800));
}

TEST_CASE("A tile that a kernel cannot compute is told from one that it can", "[tile_policy]")
{
  auto const small = square(14, 28, 3);
  auto const large = square(300, 840, 3);
  auto const many  = [] {
    auto p  = square(3, 3, 3);
    p.batch = 500;
    return p;
  }();
  CHECK(obstacle(small, tile(6, 14, 28, 16, 7, 7)).empty());
  CHECK(obstacle(small, tile(7, 14, 28, 16, 14, 7)) == "larger than y");
  CHECK(obstacle(small, tile(1, 15, 28, 17, 7, 7)) == "larger than y");
  CHECK(obstacle(small, tile(1, 14, 29, 16, 7, 7)) == "larger than y");
  CHECK(obstacle(small, tile(1, 14, 28, 16, 7, 4)) == "no kernel for that piece");
  CHECK(obstacle(small, tile(1, 14, 28, 16, 7, 7, 7)) == "no kernel for that piece");

  auto const middle = square(14, 28, 5);
  CHECK(obstacle(middle, tile(1, 14, 28, 18, 7, 7, 7)).empty());
  CHECK(obstacle(middle, tile(1, 14, 28, 18, 8, 7, 7)) == "more rows than the piece has");
  CHECK(obstacle(middle, tile(1, 7, 28, 4, 7, 7, 7)) == "more rows than the piece has");

  CHECK(obstacle(small, tile(6, 14, 28, 16, 2, 7)) == "too many threads");
  CHECK(obstacle(small, tile(2, 14, 14, 16, 7, 7)) == "several planes of cut rows");

  CHECK(obstacle(large, tile(1, 40, 450, 4, 1, 7)).empty());
  CHECK(obstacle(large, tile(1, 40, 450, 6, 1, 7)) == "chunks end within a copy");
  CHECK(obstacle(large, tile(1, 40, 450, 4, 1, 6), dtype::float16) == "chunks end within a copy");
  CHECK(obstacle(large, tile(1, 40, 450, 8, 1, 6), dtype::float16).empty());
  CHECK(obstacle(large, tile(1, 40, 450, 36, 1, 7)) == "more copies than lanes");
  CHECK(obstacle(large, tile(1, 30, 450, 32, 30, 7)).empty());
  CHECK(obstacle(large, tile(1, 31, 450, 33, 31, 7)) == "more copies than lanes");
  CHECK(obstacle(large, tile(1, 40, 840, 40, 40, 7)) == "too much shared memory");

  CHECK(obstacle(many, tile(120, 3, 3, 5, 3, 3)).empty());
  CHECK(obstacle(many, tile(32, 2, 3, 4, 2, 3)).empty());
  CHECK(obstacle(many, tile(33, 2, 3, 4, 2, 3)) == "more copies than lanes");
  CHECK(obstacle(many, tile(32, 3, 3, 4, 3, 3)).empty());
  CHECK(obstacle(many, tile(33, 3, 3, 4, 3, 3)) == "more copies than lanes");
}

TEST_CASE("Only window kernels of one filter have tiles to exchange", "[tile_policy]")
{
  auto p = square(14, 28, 3);
  CHECK(has_window_tile(plan_of(p)));
  p.data_layout = dwconv::layout::nhwc;
  CHECK_FALSE(has_window_tile(plan_of(p)));
  CHECK_FALSE(has_window_tile(plan_of(square(14, 28, 9))));
  CHECK_FALSE(has_window_tile(plan_of({})));
}

TEST_CASE("A tile's name has all of it", "[tile_policy]")
{
  CHECK(tile_text(tile(2, 14, 28, 16, 5, 7, 3)) == "tile:2,14,28,16,5,7,3");
}
