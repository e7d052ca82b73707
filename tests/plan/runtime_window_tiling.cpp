// SPDX-License-Identifier: Apache-2.0
// Which problems the window kernels for filters known at run time get, and the tiles they are
// given.
#include <random>
#include <string>

#include <dwconv/plan/describe.hpp>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::dtype;
using dwconv::extent2;
using dwconv::forward_plan;
using dwconv::kernel_family;

namespace {

constexpr dwconv::compiled_shape only_runtime[] = {dwconv::runtime_window_instance::shape};

forward_plan plan_of(conv2d_problem const& p, dtype type = dtype::float32)
{
  return dwconv::plan_forward(p, type, dwconv::h200_facts, only_runtime);
}

conv2d_problem with(extent2 filter, extent2 stride = {1, 1}, extent2 dilation = {1, 1})
{
  return {.batch    = 32,
          .channels = 64,
          .input    = {112, 112},
          .filter   = filter,
          .stride   = stride,
          .dilation = dilation,
          .pad      = {filter.height / 2, filter.height / 2, filter.width / 2, filter.width / 2}};
}

}  // namespace

TEST_CASE("filters of few taps slide, those of many do not", "[runtime_window_tiling]")
{
  for (extent2 const filter :
       {extent2{1, 1}, {1, 3}, {2, 2}, {4, 4}, {3, 5}, {1, 31}, {8, 3}, {6, 4}, {5, 9}, {16, 1}}) {
    CHECK(planned(with(filter)).compiled == only_runtime[0]);
  }
  for (extent2 const filter : {extent2{9, 9}, {13, 13}, {11, 11}, {15, 7}, {31, 1}}) {
    CHECK(planned(with(filter)).compiled.any_filter());
    CHECK(planned(with(filter)).family == kernel_family::window);
  }
  CHECK(planned(with({3, 3}, {3, 3})).compiled == only_runtime[0]);
  CHECK(planned(with({3, 3}, {1, 1}, {2, 2})).compiled == only_runtime[0]);
  CHECK(planned(with({3, 3}, {2, 2}, {2, 2})).compiled == only_runtime[0]);
  CHECK(planned(with({3, 3}, {2, 2}, {3, 3})).compiled.any_filter());
  CHECK(planned(with({33, 1})).compiled.any_filter());
}

TEST_CASE("without another kernel for any filter it takes what it can", "[runtime_window_tiling]")
{
  CHECK(plan_of(with({8, 13})).compiled == only_runtime[0]);
  CHECK(plan_of(with({16, 3})).compiled == only_runtime[0]);
  CHECK(plan_of(with({1, 100}, {1, 3})).compiled == only_runtime[0]);
  auto const refused = [](conv2d_problem const& p, dwconv::device_facts const& device) {
    auto const plan = dwconv::plan_forward(p, dtype::float32, device, only_runtime);
    CHECK_FALSE(plan.outcome.ok());
    return std::string{plan.verdicts[0].reason};
  };
  CHECK(refused(with({17, 1}), dwconv::h200_facts) == "the filter is too high for its sums");
  CHECK(refused(with({3, 3}, {2, 2}, {3, 3}), dwconv::h200_facts) ==
        "filter and stride leave out different rows");
  CHECK(refused(with({3, 3}, {17, 1}), dwconv::h200_facts) == "the stride leaves out most of x");
  CHECK(refused(with({3, 4097}), dwconv::h200_facts) == "the filter is too long");
  conv2d_problem wide = with({3, 3});
  wide.pad.left       = 65;
  CHECK(plan_of(wide).compiled == only_runtime[0]);
  wide.pad.left = 100'000;
  CHECK(refused(wide, dwconv::h200_facts) == "a tile does not fit in shared memory");
  dwconv::device_facts small   = dwconv::h200_facts;
  small.shared_bytes_per_block = 512;
  CHECK(refused(with({3, 5}), small) == "a tile does not fit in shared memory");
}

TEST_CASE("a filter's kernel is the smallest that takes its rows, and its taps if one does",
          "[runtime_window_tiling]")
{
  struct {
    extent2 filter, stride, dilation;
    int number;
  } const known[] = {
    {{1, 8}, {1, 1}, {1, 1}, 0},  {{1, 9}, {1, 1}, {1, 1}, 1}, {{1, 99}, {1, 1}, {1, 1}, 1},
    {{1, 25}, {1, 4}, {1, 1}, 0}, {{3, 3}, {3, 3}, {1, 1}, 0}, {{2, 9}, {1, 1}, {1, 1}, 2},
    {{3, 3}, {1, 1}, {9, 9}, 2},  {{4, 4}, {2, 2}, {1, 1}, 2}, {{5, 5}, {1, 1}, {1, 1}, 3},
    {{9, 9}, {2, 2}, {1, 1}, 3},  {{8, 1}, {1, 1}, {1, 1}, 4}, {{9, 1}, {1, 1}, {1, 1}, 5},
    {{16, 4}, {1, 1}, {1, 1}, 5}};
  for (auto const& k : known) {
    for (int const bytes : {2, 4, 8}) {
      CHECK(dwconv::runtime_window_number(with(k.filter, k.stride, k.dilation), bytes) == k.number);
    }
  }
}

TEST_CASE("half types slide down columns, and where odd rows meet a stride",
          "[runtime_window_tiling]")
{
  auto const slides = [](conv2d_problem p, std::int64_t width) {
    p.input.width = width;
    return planned(p, dtype::float16).compiled.slides;
  };
  for (conv2d_problem const& p : {with({3, 3}, {3, 3}), with({2, 8}, {3, 3})}) {
    CHECK(slides(p, 71));
    CHECK_FALSE(slides(p, 72));
  }
  for (conv2d_problem const& p : {with({4, 4}, {2, 2}), with({1, 25}, {1, 4})}) {
    CHECK_FALSE(slides(p, 71));  // in registers
  }
  CHECK(slides(with({15, 1}), 71));
  CHECK(slides(with({15, 1}), 72));
  CHECK_FALSE(slides(with({7, 1}), 71));
  CHECK_FALSE(slides(with({1, 7}), 71));
  CHECK_FALSE(slides(with({3, 5}), 71));
  CHECK_FALSE(slides(with({1, 33}), 71));
  CHECK_FALSE(slides(with({3, 3}, {1, 1}, {2, 2}), 72));
  CHECK_FALSE(slides(with({3, 3}, {1, 1}, {2, 2}), 71));
  CHECK_FALSE(slides(with({3, 3}, {1, 1}, {6, 6}), 72));
  CHECK(slides(with({3, 3}, {1, 1}, {6, 6}), 71));
  CHECK(slides(with({3, 3}, {2, 2}, {2, 2}), 72));  // no strided matrix product has holes
}

TEST_CASE("tiles of run-time windows cover y with threads that all fit", "[runtime_window_tiling]")
{
  std::mt19937_64 random{5};
  auto const between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
  };
  int taken = 0, chunked = 0, joined = 0, windowed = 0;
  for (int i = 0; i < 20'000; ++i) {
    conv2d_problem const p{.batch      = between(1, 40),
                           .channels   = between(1, 40),
                           .multiplier = between(1, 3),
                           .input      = {between(1, 300), between(1, i % 9 == 0 ? 4000 : 300)},
                           .filter     = {between(1, 34), between(1, 34)},
                           .stride     = {between(1, 4), between(1, 4)},
                           .dilation   = {between(1, 4), between(1, i % 7 == 0 ? 400 : 4)},
                           .pad        = {between(0, 9), between(0, 9), between(0, 70), 0}};
    auto const type = static_cast<dtype>(i % 4);
    auto const plan = plan_of(p, type);
    if (!plan.outcome.ok()) { continue; }
    ++taken;
    extent2 const out = output_extent(p);
    int const bytes   = static_cast<int>(size_in_bytes(type));
    auto const& w     = plan.window;
    auto const g      = dwconv::lay_out_tile(p, w.tile, bytes, 0);
    dwconv::runtime_window_tiles::view const view{p, bytes};
    std::int64_t const rows = dwconv::runtime_window_tiles::rows_of_residue(view, w.tile.rows);
    bool const good =
      plan.threads % 32 == 0 && plan.threads <= dwconv::runtime_window_threads &&
      dwconv::runtime_window_tiles::pieces_of(view, w) <= plan.threads &&
      w.number == dwconv::runtime_window_number(p, bytes) && w.tile.rows >= 1 &&
      w.tile.rows <= out.height && w.tile.columns >= 1 && w.tile.columns <= out.width &&
      w.tile.planes >= 1 && w.tile.planes <= 32 && (w.tile.planes == 1 || g.whole_rows) &&
      (g.chunks == 1 || w.rows_per_thread >= rows) &&
      dwconv::runtime_window_tiles::possible(view, w, plan.device) &&
      plan.shared_bytes <= dwconv::h200_facts.shared_bytes_per_block && plan.blocks == g.tiles;
    if (!good) { FAIL("plan " << i << ": " << describe(plan)); }
    chunked += g.chunks > 1;
    joined += w.tile.planes > 1;
    windowed += !g.whole_rows;
  }
  CHECK(taken > 4'000);
  CHECK(chunked > 100);
  CHECK(joined > 100);
  CHECK(windowed > 100);
}
