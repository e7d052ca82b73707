// SPDX-License-Identifier: Apache-2.0
// The tiles that are planned: every output in exactly one, under each the whole part of x it needs,
// whatever the GPU; and rules that the kernels count on.
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
/// larger strides as the run-time door would, had it only those.
forward_plan plan_for_itself(conv2d_problem const& p, dtype type,
                             dwconv::device_facts const& device = dwconv::h200_facts)
{
  compiled_shape const shapes[] = {{kernel_family::window, p.filter, p.stride},
                                   {kernel_family::direct, {0, 0}, {0, 0}}};
  if (std::max(p.stride.height, p.stride.width) > 64) { return planned_of_known(p, type); }
  return plan_forward(p, type, device, shapes);
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
  extent2 const out         = dwconv::output_extent(p);
  std::int64_t const planes = p.batch * p.output_channels();
  if (g.tiles != plan.blocks) { return "launches another number of blocks"; }
  std::vector<int> covered(static_cast<std::size_t>(planes * out.height * out.width));
  for (std::int32_t index = 0; index < g.tiles; ++index) {
    auto const t = dwconv::tile_position::of(g, f, index);
    if (t.planes < 1 || t.rows < 1 || t.columns < 1) { return "has an empty tile"; }
    if (t.planes > 1 && t.columns != out.width) { return "has parts of rows of several planes"; }
    if (t.plane + t.planes > planes || t.row + t.rows > out.height ||
        t.column + t.columns > out.width) {
      return "leaves y";
    }
    if (t.input_plane != t.plane / p.multiplier ||
        t.input_plane + t.input_planes - 1 != (t.plane + t.planes - 1) / p.multiplier) {
      return "stages other planes";
    }
    if (!axis_covers(t.column, t.columns, t.input_column, t.input_columns, p.stride.width,
                     p.filter.width, p.pad.left, p.input.width)) {
      return "stages too few columns";
    }
    // Chunks stage neighbouring rows: together, all that the tile needs.
    int staged = -1, end = -1, finished = 0;
    for (int k = 0; k < g.chunks; ++k) {
      auto const c = t.chunk(g, f, k);
      if (c.input_rows > 0) {
        if (staged < 0) { staged = end = c.input_row; }
        if (c.input_row != end) { return "stages rows twice or never"; }
        end += c.input_rows;
      }
      if (c.output_rows > 0 && c.output_row != t.row + finished) { return "finishes other rows"; }
      finished += c.output_rows;
    }
    if (finished != t.rows) { return "finishes too few rows"; }
    if (!axis_covers(t.row, t.rows, std::max(staged, 0), end - std::max(staged, 0), p.stride.height,
                     p.filter.height, p.pad.top, p.input.height)) {
      return "stages too few rows";
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

/// Whether the piece is one that is compiled.
bool has_kernel(forward_plan const& plan)
{
  auto const list       = dwconv::window_pieces(plan.problem.filter, plan.problem.stride,
                                                static_cast<int>(size_in_bytes(plan.element)));
  auto const* const end = list.shapes + list.count;
  return std::find(list.shapes, end, plan.window.piece) != end;
}

/// What is wrong with a policy, by the rules that the kernels and movers count on.
std::string flaw_of_policy(forward_plan const& plan)
{
  conv2d_problem const& p             = plan.problem;
  extent2 const out                   = dwconv::output_extent(p);
  dwconv::window_policy const& policy = plan.window;
  dwconv::tile_shape const t          = policy.tile;
  if (plan.shared_bytes <= 0 || plan.shared_bytes > plan.device.shared_bytes_per_block) {
    return "does not fit in shared memory";
  }
  if (plan.threads < 32 || plan.threads > dwconv::window_threads || plan.threads % 32 != 0 ||
      plan.threads != policy.threads) {
    return "has a block that no kernel is compiled for";
  }
  if (t.planes < 1 || t.rows < 1 || t.columns < 1 || t.steps < 1 || t.rows > out.height ||
      t.columns > out.width) {
    return "has a tile that is none";
  }
  if (!has_kernel(plan)) { return "has a piece that no kernel is compiled for"; }
  if (policy.rows_per_thread < 1 || policy.rows_per_thread > t.rows) {
    return "walks off its tile";
  }
  if (policy.piece.rows > 0 && policy.rows_per_thread > policy.piece.rows) {
    return "has more rows than registers";
  }
  auto const up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  std::int64_t const pieces =
    up(t.columns, policy.piece.columns) * up(t.rows, policy.rows_per_thread) * t.planes;
  if (pieces > plan.threads) { return "has more pieces than threads"; }
  if (pieces + 32 <= plan.threads) { return "has idle warps"; }

  int const bytes         = static_cast<int>(size_in_bytes(plan.element));
  bool const cut_rows     = t.columns < out.width;
  std::int64_t const live = up(p.filter.height, p.stride.height);
  bool const one_chunk    = t.steps >= t.rows + live - 1;
  if (t.planes > 1 && cut_rows) { return "joins planes whose rows it cuts"; }
  if (cut_rows && one_chunk && (t.rows - 1) * p.stride.height + p.filter.height > 32) {
    return "has more rows than lanes to start them";
  }
  bool const whole_planes = one_chunk && !cut_rows && t.rows == out.height;
  if (!cut_rows && !whole_planes && t.planes > 32) {
    return "has more planes than lanes to start them";
  }
  if (!one_chunk) {
    if (policy.piece.rows > 0) { return "has chunks of a piece in registers"; }
    if (policy.rows_per_thread != t.rows) { return "has several pieces down a tile of chunks"; }
    if (cut_rows && t.steps * p.stride.height > 32) {
      return "has more rows in a chunk than lanes to start them";
    }
    if (t.steps % (16 / bytes) != 0) { return "has chunks that end between boundaries"; }
  }
  return plan.blocks < 0 || plan.blocks > INT32_MAX ? "has a grid no GPU runs" : "";
}

/// GPUs with little shared memory and much: none, sm_75, sm_86, sm_80, H200.
dwconv::device_facts any_device(std::mt19937_64& random)
{
  constexpr int kibibytes[]    = {48, 64, 99, 163, 227};
  dwconv::device_facts facts   = dwconv::h200_facts;
  facts.shared_bytes_per_block = kibibytes[random() % 5] * 1024;
  facts.multiprocessors        = static_cast<int>(between(random, 1, 160));
  return facts;
}

}  // namespace

TEST_CASE("tiles cover every output once, and stage all that it needs", "[window_tiling]")
{
  std::mt19937_64 random{7};
  int checked = 0, cut_rows = 0, cut_columns = 0, joined = 0, chunked = 0;
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
    forward_plan const plan =
      plan_for_itself(p, static_cast<dtype>(random() % 4), any_device(random));
    if (plan.family != kernel_family::window) { continue; }
    std::string const flaw = flaw_of_policy(plan) + flaw_of_tiles(plan);
    if (!flaw.empty()) { FAIL(dwconv::describe(plan) << "\n" << flaw); }
    ++checked;
    joined += plan.window.tile.planes > 1;
    chunked += plan.window.tile.steps < dwconv::geometry::steps_for(p, plan.window.tile.rows);
    cut_rows += plan.window.tile.rows < dwconv::output_extent(p).height;
    cut_columns += plan.window.tile.columns < dwconv::output_extent(p).width;
  }
  CHECK(checked > 3000);
  CHECK(joined > 100);
  CHECK(chunked > 100);
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
    forward_plan const plan =
      plan_for_itself(p, static_cast<dtype>(random() % 4), any_device(random));
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

TEST_CASE("on every GPU each compiled filter has a tile, whatever the width", "[window_tiling]")
{
  for (int const kibibytes : {48, 64, 99, 163, 227}) {
    dwconv::device_facts device   = dwconv::h200_facts;
    device.compute_capability     = kibibytes == 64 ? 75 : 86;
    device.shared_bytes_per_block = kibibytes * 1024;
    int declined = 0, planned_ones = 0;
    for (compiled_shape const& shape : dwconv::default_instances::shapes) {
      if (shape.family != kernel_family::window || shape.taps.height == 0) { continue; }
      for (int type = 0; type < 4; ++type) {
        for (std::int64_t width = 1; width <= 3000; width += width < 200 ? 3 : 41) {
          for (std::int64_t const height : {1, 5, 7, 14, 20, 21, 56, 224, 1000}) {
            for (std::int64_t const channels : {1, 1000}) {
              conv2d_problem const p{
                .batch    = 1,
                .channels = channels,
                .input    = {(height - 1) * shape.stride.height + shape.taps.height,
                             (width - 1) * shape.stride.width + shape.taps.width},
                .filter   = shape.taps,
                .stride   = shape.stride};
              auto const plan = plan_forward(p, static_cast<dtype>(type), device,
                                             shapes_of_known_filters);
              declined += plan.compiled != shape;
              if (plan.compiled != shape) { continue; }
              std::string const flaw = flaw_of_policy(plan);
              if (!flaw.empty()) { FAIL(kibibytes << " KiB: " << describe(plan) << flaw); }
              ++planned_ones;
            }
          }
        }
      }
    }
    CAPTURE(kibibytes);
    CHECK(declined == 0);
    CHECK(planned_ones > 50'000);
  }
}

TEST_CASE("every filter that a static door compiles a window for has a tile on every GPU",
          "[window_tiling]")
{
  std::mt19937_64 random{9};
  int declined = 0, planned_ones = 0;
  for (std::int64_t code = 0; code < 7 * 49 * 4 * 4; ++code) {
    extent2 const taps{code % 7 + 1, code / 7 % 49 + 1};
    extent2 const stride{code / 343 % 4 + 1, code / 1372 + 1};
    if (!dwconv::instances::suits_window(taps, stride)) { continue; }
    compiled_shape const shapes[] = {{kernel_family::window, taps, stride}};
    for (int again = 0; again < 12; ++again) {
      conv2d_problem const p{
        .batch    = 1,
        .channels = between(random, 1, 100),
        .input    = {between(random, 1, 400) + taps.height, between(random, 1, 5000) + taps.width},
        .filter   = taps,
        .stride   = stride,
        .pad      = {between(random, 0, 3), between(random, 0, 3), between(random, 0, 3),
                     between(random, 0, 3)}};
      auto const plan =
        plan_forward(p, static_cast<dtype>(random() % 4), any_device(random), shapes);
      ++planned_ones;
      declined += !plan.outcome.ok();
      if (!plan.outcome.ok()) { continue; }
      std::string const flaw = flaw_of_policy(plan);
      if (!flaw.empty()) { FAIL(describe(plan) << flaw); }
    }
  }
  CHECK(declined == 0);
  CHECK(planned_ones > 10'000);
}

TEST_CASE("where there is little to do, tiles shrink until a multiprocessor has some warps",
          "[window_tiling]")
{
  int small = 0, enough = 0;
  for (compiled_shape const& shape : dwconv::default_instances::shapes) {
    if (shape.family != kernel_family::window || shape.taps.height == 0) { continue; }
    for (int type = 0; type < 4; ++type) {
      for (std::int64_t const planes : {1, 3, 16, 64, 256}) {
        for (std::int64_t const side : {7, 14, 28, 56, 112, 224}) {
          conv2d_problem const p{.batch    = 1,
                                 .channels = planes,
                                 .input    = {(side - 1) * shape.stride.height + shape.taps.height,
                                              (side - 1) * shape.stride.width + shape.taps.width},
                                 .filter   = shape.taps,
                                 .stride   = shape.stride};
          auto const plan = planned_of_known(p, static_cast<dtype>(type));
          REQUIRE(plan.compiled == shape);
          ++small;
          if (plan.blocks * (plan.threads / 32) >= 4 * plan.device.multiprocessors) {
            ++enough;
            continue;
          }
          // Then walks are of one row, or the shortest that a piece in registers takes, or strips are
          // less than twice as high as the lowest; walks of tall filters stay worth their ends.
          int const bytes      = static_cast<int>(size_in_bytes(plan.element));
          bool const registers = plan.window.piece.rows > 0;
          bool const chunked   = lay_out_tile(p, plan.window.tile, bytes, 0).chunks > 1;
          bool const tall = shape.taps.height > 5 && bytes == 4;
          if (!registers && plan.window.rows_per_thread > (chunked ? 31 : tall ? 15 : 1)) {
            FAIL_CHECK(describe(plan));
          }
        }
      }
    }
  }
  CHECK(enough >= small / 4);
}

TEST_CASE("every piece that is compiled is planned for some width", "[window_tiling]")
{
  for (compiled_shape const& shape : dwconv::default_instances::shapes) {
    if (shape.family != kernel_family::window || shape.taps.height == 0) { continue; }
    for (int type = 0; type < 4; ++type) {
      auto const element = static_cast<dtype>(type);
      auto const list =
        dwconv::window_pieces(shape.taps, shape.stride, static_cast<int>(size_in_bytes(element)));
      for (int i = 0; i < list.count; ++i) {
        int planned_ones = 0;
        for (std::int64_t width = 1; width <= 700; ++width) {
          conv2d_problem const p{.batch    = 8,
                                 .channels = 64,
                                 .input    = {40 * shape.stride.height + shape.taps.height,
                                              (width - 1) * shape.stride.width + shape.taps.width},
                                 .filter   = shape.taps,
                                 .stride   = shape.stride};
          planned_ones += planned_of_known(p, element).window.piece == list.shapes[i];
        }
        CAPTURE(describe(shape.taps), describe(shape.stride), name_of(element), i);
        CHECK(planned_ones > 0);
      }
    }
  }
}
