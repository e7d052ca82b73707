// SPDX-License-Identifier: Apache-2.0
// The tiles that are planned: every output in exactly one, under each the whole part of x it needs.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <dwconv/plan/describe.hpp>
#include <dwconv/staging/tile_position.hpp>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::compiled_shape;
using dwconv::conv2d_problem;
using dwconv::dtype;
using dwconv::extent2;
using dwconv::forward_plan;
using dwconv::kernel_family;

namespace {

std::int64_t between(std::mt19937_64& random, std::int64_t least, std::int64_t most)
{
  return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
}

/// The plan as a static door would make it, which compiles for any small filter and stride; for
/// larger strides as the run-time door would, had it
/// only those.
forward_plan plan_for_itself(conv2d_problem const& p, dtype type)
{
  compiled_shape const shapes[] = {{kernel_family::window, p.filter, p.stride},
                                   {kernel_family::direct, {0, 0}, {0, 0}}};
  if (std::max(p.stride.height, p.stride.width) > 64) { return planned_of_known(p, type); }
  return plan_forward(p, type, dwconv::h200_facts, shapes);
}

/// What is wrong with one axis of a tile: outputs [first, first + count), staged [staged, staged +
/// length) of x, which must hold every tap on the image.
bool axis_covers(std::int64_t first, std::int64_t count, std::int64_t staged, std::int64_t length,
                 std::int64_t stride, std::int64_t taps, std::int64_t pad, std::int64_t input)
{
  std::int64_t const from = std::max<std::int64_t>(first * stride - pad, 0);
  std::int64_t const end  = std::min((first + count - 1) * stride - pad + taps, input);
  if (from >= end) { return true; }  // padding only
  return staged >= 0 && staged <= from && staged + length >= end && staged + length <= input;
}

std::string flaw_of_tiles(forward_plan const& plan)
{
  conv2d_problem const& p = plan.problem;
  auto const g =
    dwconv::lay_out_tile(p, plan.window.tile, static_cast<int>(size_in_bytes(plan.element)), 8);
  dwconv::tile_frame const f{p};
  extent2 const out = dwconv::output_extent(p);
  if (g.tiles != plan.blocks) { return "launches another number of blocks"; }
  std::vector<int> covered(static_cast<std::size_t>(p.batch * p.channels * out.height * out.width));
  for (std::int32_t index = 0; index < g.tiles; ++index) {
    auto const t = dwconv::tile_position::of(g, f, index);
    if (t.planes < 1 || t.rows < 1 || t.columns < 1) { return "has an empty tile"; }
    if (t.planes > 1 && (t.rows != out.height || t.columns != out.width)) {
      return "has several planes in part";
    }
    if (t.plane + t.planes > p.batch * p.channels || t.row + t.rows > out.height ||
        t.column + t.columns > out.width) {
      return "leaves y";
    }
    if (!axis_covers(t.row, t.rows, t.input_row, t.input_rows, p.stride.height, p.filter.height,
                     p.pad.top, p.input.height)) {
      return "stages too few rows";
    }
    if (!axis_covers(t.column, t.columns, t.input_column, t.input_columns, p.stride.width,
                     p.filter.width, p.pad.left, p.input.width)) {
      return "stages too few columns";
    }
    for (std::int64_t plane = t.plane; plane < t.plane + t.planes; ++plane) {
      for (std::int64_t row = t.row; row < t.row + t.rows; ++row) {
        for (std::int64_t column = t.column; column < t.column + t.columns; ++column) {
          ++covered[static_cast<std::size_t>((plane * out.height + row) * out.width + column)];
        }
      }
    }
  }
  bool const once =
    std::all_of(covered.begin(), covered.end(), [](int times) { return times == 1; });
  return once ? std::string{} : "computes an output never or twice";
}

std::string flaw_of_policy(forward_plan const& plan)
{
  extent2 const out          = dwconv::output_extent(plan.problem);
  dwconv::tile_shape const t = plan.window.tile;
  if (plan.shared_bytes <= 0 || plan.shared_bytes > plan.device.shared_bytes_per_block) {
    return "does not fit in shared memory";
  }
  if (plan.threads < 32 || plan.threads > dwconv::window_threads || plan.threads % 32 != 0 ||
      plan.threads != plan.window.threads) {
    return "has a block that no kernel is compiled for";
  }
  if (t.planes < 1 || t.rows < 1 || t.columns < 1 || t.rows > out.height || t.columns > out.width) {
    return "has a tile that is none";
  }
  if (t.planes > 1 && (t.rows != out.height || t.columns != out.width)) {
    return "joins planes that it cuts";
  }
  if (plan.window.rows_per_thread < 1 || plan.window.rows_per_thread > t.rows) {
    return "walks off its tile";
  }
  return plan.blocks < 0 || plan.blocks > INT32_MAX ? "has a grid no GPU runs" : "";
}

}  // namespace

TEST_CASE("tiles cover every output once, and stage all that it needs", "[window_tiling]")
{
  std::mt19937_64 random{7};
  int checked = 0, cut_rows = 0, cut_columns = 0, joined = 0;
  for (int i = 0; i < 6000; ++i) {
    bool const wide = i % 8 == 0;
    conv2d_problem const p{
      .batch      = between(random, 1, 3),
      .channels   = between(random, 1, 40 / (wide ? 20 : 1)),
      .multiplier = between(random, 1, 4),
      .input      = {between(random, 1, wide ? 20 : 70), between(random, 1, wide ? 1500 : 90)},
      .filter     = {between(random, 1, 7), between(random, 1, 7)},
      .stride     = {between(random, 1, 4), between(random, 1, 4)},
      .pad        = {between(random, 0, 9), between(random, 0, 30), between(random, 0, 9),
                     between(random, 0, 64)}};
    if (!dwconv::validate(p).ok()) { continue; }
    forward_plan const plan = plan_for_itself(p, static_cast<dtype>(random() % 4));
    if (plan.family != kernel_family::window) { continue; }
    std::string const flaw = flaw_of_policy(plan) + flaw_of_tiles(plan);
    if (!flaw.empty()) { FAIL(dwconv::describe(plan) << "\n" << flaw); }
    ++checked;
    joined += plan.window.tile.planes > 1;
    cut_rows += plan.window.tile.rows < dwconv::output_extent(p).height;
    cut_columns += plan.window.tile.columns < dwconv::output_extent(p).width;
  }
  CHECK(checked > 3000);
  CHECK(joined > 100);
  CHECK(cut_rows > 100);
  CHECK(cut_columns > 100);
}

TEST_CASE("whatever is asked, what is planned fits and nothing overflows", "[window_tiling]")
{
  std::mt19937_64 random{8};
  auto const any = [&](int most_bits) {
    return static_cast<std::int64_t>(random() >> (64 - between(random, 1, most_bits)));
  };
  int windows = 0, others = 0;
  for (int i = 0; i < 400'000; ++i) {
    int const bits  = i % 2 == 0 ? 41 : 14;
    auto const size = [&](int most_bits) {
      return std::max<std::int64_t>(any(std::min(most_bits, bits)), 1);
    };
    conv2d_problem const p{
      .batch      = any(i % 16 == 0 ? 40 : 12),
      .channels   = size(i % 8 == 0 ? 40 : 16),
      .multiplier = size(i % 4 == 0 ? 40 : 3),
      .input      = {size(26), size(26)},
      .filter     = {between(random, 1, 7), between(random, 1, i % 5 == 0 ? 49 : 7)},
      .stride     = {i % 3 == 0 ? size(40) : between(random, 1, 2),
                 i % 7 == 0 ? size(40) : between(random, 1, 2)},
      .pad = {any(i % 9 == 0 ? 40 : 6), any(i % 11 == 0 ? 40 : 6), any(i % 13 == 0 ? 40 : 6),
              any(6)}};
    if (!dwconv::validate(p).ok()) { continue; }
    forward_plan const plan = plan_for_itself(p, static_cast<dtype>(random() % 4));
    if (!plan.outcome.ok() || plan.family != kernel_family::window) {
      ++others;
      continue;
    }
    std::string const flaw = flaw_of_policy(plan);
    if (!flaw.empty()) { FAIL(dwconv::describe(plan) << "\n" << flaw); }
    ++windows;
  }
  CHECK(windows > 10'000);
  CHECK(others > 10'000);
}
