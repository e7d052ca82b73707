// SPDX-License-Identifier: Apache-2.0
// What the window family's kernel for any filter takes, in which words it declines the rest, and
// that its tiles fit.
#include <algorithm>
#include <random>
#include <string>

#include <dwconv/plan/describe.hpp>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::compiled_shape;
using dwconv::conv2d_problem;
using dwconv::dtype;
using dwconv::extent2;
using dwconv::forward_plan;
using dwconv::kernel_family;

namespace {

constexpr conv2d_problem usual{
  .batch = 2, .channels = 8, .input = {32, 48}, .filter = {5, 9}, .pad = {2, 2, 4, 4}};

constexpr compiled_shape any_filter{kernel_family::window, {0, 0}, {0, 0}};

forward_plan any_plan(conv2d_problem const& p, dtype type = dtype::float32,
                      dwconv::device_facts const& device = dwconv::h200_facts)
{
  compiled_shape const shapes[] = {any_filter, {kernel_family::direct, {0, 0}, {0, 0}}};
  return plan_forward(p, type, device, shapes);
}

/// What keeps the kernel from `usual` with a change; empty if nothing does.
template <typename Change>
std::string obstacle(Change const& change)
{
  conv2d_problem changed = usual;
  change(changed);
  REQUIRE(dwconv::validate(changed).ok());
  forward_plan const plan = any_plan(changed);
  CHECK((plan.compiled == any_filter) == plan.verdicts[0].eligible);
  return plan.verdicts[0].eligible ? std::string{} : plan.verdicts[0].reason;
}

std::int64_t between(std::mt19937_64& random, std::int64_t least, std::int64_t most)
{
  return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
}

std::string flaw_of(forward_plan const& plan)
{
  conv2d_problem const& p           = plan.problem;
  extent2 const out                 = dwconv::output_extent(p);
  dwconv::lattice_tile const t      = plan.any_filter.tile;
  int const bytes                   = static_cast<int>(size_in_bytes(plan.element));
  dwconv::lattice_piece const piece = dwconv::any_filter_piece(p, bytes, plan.any_filter.wide);
  dwconv::lattice_layout const l{p, t, piece};
  if (t.images < 1 || t.channels < 1 || t.rows < 1 || t.columns < 1 || t.rows > out.height ||
      t.columns > out.width || t.channels > p.output_channels() ||
      t.images > std::max<std::int64_t>(p.batch, 1)) {
    return "has a tile that is none";
  }
  if (std::int64_t{t.images} * t.channels > 1 && t.columns != out.width) {
    return "joins planes whose rows it cuts";
  }
  if (plan.shared_bytes != l.size() * dwconv::any_filter_staged_bytes(bytes) ||
      plan.shared_bytes > plan.device.shared_bytes_per_block) {
    return "does not fit in shared memory";
  }
  dwconv::any_filter_slots const slots{l, piece};
  std::int64_t const planes = std::int64_t{t.images} * t.channels;
  if (slots.used_of_row != l.columns.pieces(piece.columns) * planes ||
      slots.of_row < slots.used_of_row || slots.down != l.rows.pieces(piece.rows)) {
    return "has pieces without a thread";
  }
  if (plan.threads > dwconv::any_filter_threads || plan.threads % 32 != 0 ||
      plan.threads < slots.down * slots.of_row) {
    return "has another number of threads than slots";
  }
  if (plan.threads >= slots.down * slots.of_row + 32 || slots.of_row >= slots.used_of_row + 32) {
    return "has idle warps";
  }
  // Planes are joined in whole numbers of channels, and of outputs of a channel.
  if (plan.blocks != l.tiles || plan.blocks > INT32_MAX) { return "has another grid"; }
  return {};
}

}  // namespace

TEST_CASE("any filter, stride, dilation, padding and multiplier is taken in nchw",
          "[any_filter_tiling]")
{
  CHECK(obstacle([](auto&) {}).empty());
  CHECK(obstacle([](auto& p) { p.filter = {1, 1}; }).empty());
  CHECK(obstacle([](auto& p) { p.filter = {31, 31}, p.pad = {15, 15, 15, 15}; }).empty());
  CHECK(obstacle([](auto& p) { p.stride = {3, 2}; }).empty());
  CHECK(obstacle([](auto& p) { p.dilation = {7, 5}; }).empty());
  CHECK(obstacle([](auto& p) { p.multiplier = 1 << 20; }).empty());
  CHECK(obstacle([](auto& p) { p.pad = {1000, 0, 0, 9000}; }).empty());
  CHECK(obstacle([](auto& p) { p.data_layout = dwconv::layout::nhwc; }) ==
        "its tiles are staged in nchw only");
}

TEST_CASE("what it does not count or stage is declined", "[any_filter_tiling]")
{
  CHECK(obstacle([](auto& p) { p.channels = INT32_MAX / 2; }) ==
        "y has more planes than it counts");
  CHECK(obstacle([](auto& p) { p.input.width = 1 << 24; }) == "the planes are too long");
  CHECK(obstacle([](auto& p) {
          p.input = {1 << 16, 1 << 16};
        }) == "a plane has more elements than it counts");
  CHECK(obstacle([](auto& p) { p.stride.height = 21; }) == "the stride leaves out most of x");
  CHECK(obstacle([](auto& p) { p.stride.height = 20; }).empty());
  CHECK(obstacle([](auto& p) {
          p.filter = {1, 1}, p.stride = {16, 16}, p.pad = {};
        }).empty());  // one tap: its lattice has what is read and nothing else
  CHECK(obstacle([](auto& p) {
          p.filter = {300, 300}, p.pad = {150, 150, 150, 150};
        }) == "a tile does not fit in shared memory");
  dwconv::device_facts small   = dwconv::h200_facts;
  small.shared_bytes_per_block = 256;
  CHECK(any_plan(usual, dtype::float64, small).family == kernel_family::direct);
}

TEST_CASE("a kernel for a known filter that declines leaves the problem to the one for any",
          "[any_filter_tiling]")
{
  conv2d_problem p{.batch = 2, .channels = 8, .input = {32, 48}, .filter = {3, 3}};
  CHECK(planned(p).compiled == compiled_shape{kernel_family::window, {3, 3}, {1, 1}});
  p.filter = {3, 3}, p.stride = {2, 2}, p.dilation = {3, 3};  // no window slides there
  CHECK(planned(p).compiled == any_filter);
  CHECK(planned(p).verdicts[0] ==
        dwconv::verdict{kernel_family::window, true, "reads x once, in tiles"});
  p.data_layout = dwconv::layout::nhwc;
  CHECK(planned(p).family == kernel_family::direct);
  CHECK(planned(p).verdicts[0].reason == std::string{"its tiles are staged in nchw only"});
}

TEST_CASE("its tiles fit, and their pieces have a thread each", "[any_filter_tiling]")
{
  std::mt19937_64 random{21};
  int checked = 0, joined = 0, cut = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::int64_t const most = i % 4 == 0 ? 2000 : 90;
    conv2d_problem const p{
      .batch      = between(random, 0, 40),
      .channels   = between(random, 1, 200),
      .multiplier = between(random, 1, 5),
      .input      = {between(random, 1, most), between(random, 1, most)},
      .filter = {between(random, 1, i % 3 == 0 ? 40 : 9), between(random, 1, i % 5 == 0 ? 40 : 9)},
      .stride = {between(random, 1, 5), between(random, 1, 5)},
      .dilation = {between(random, 1, i % 2 == 0 ? 1 : 30),
                   between(random, 1, i % 2 == 0 ? 1 : 30)},
      .pad      = {between(random, 0, 70), between(random, 0, 70), between(random, 0, 70),
                   between(random, 0, 70)}};
    if (!dwconv::validate(p).ok()) { continue; }
    forward_plan const plan = any_plan(p, static_cast<dtype>(random() % 4));
    if (plan.family != kernel_family::window) { continue; }
    std::string const flaw = flaw_of(plan);
    if (!flaw.empty()) { FAIL(dwconv::describe(plan) << "\n" << flaw); }
    ++checked;
    joined += plan.any_filter.tile.images * plan.any_filter.tile.channels > 1;
    cut += plan.any_filter.tile.columns < dwconv::output_extent(p).width;
  }
  CHECK(checked > 10'000);
  CHECK(joined > 1000);
  CHECK(cut > 1000);
}

TEST_CASE("no number, however hostile, overflows in its planning", "[any_filter_tiling]")
{
  std::mt19937_64 random{22};
  auto const any = [&](int most_bits) {
    return static_cast<std::int64_t>(random() >> (64 - between(random, 1, most_bits)));
  };
  int taken = 0, others = 0;
  for (int i = 0; i < 100'000; ++i) {
    int const bits  = i % 2 == 0 ? 41 : 12;
    auto const size = [&](int most_bits) {
      return std::max<std::int64_t>(any(std::min(most_bits, bits)), 1);
    };
    conv2d_problem const p{
      .batch      = any(i % 16 == 0 ? 40 : 12),
      .channels   = size(i % 8 == 0 ? 40 : 16),
      .multiplier = size(i % 4 == 0 ? 40 : 3),
      .input      = {size(26), size(26)},
      .filter     = {size(i % 3 == 0 ? 25 : 5), size(i % 5 == 0 ? 25 : 5)},
      .stride     = {size(i % 3 == 0 ? 40 : 2), size(i % 7 == 0 ? 40 : 2)},
      .dilation   = {size(i % 5 == 0 ? 40 : 3), size(i % 9 == 0 ? 40 : 3)},
      .pad        = {any(i % 9 == 0 ? 40 : 25), any(i % 11 == 0 ? 40 : 25), any(25), any(6)}};
    if (!dwconv::validate(p).ok()) { continue; }
    forward_plan const plan = any_plan(p, static_cast<dtype>(random() % 4));
    if (!plan.outcome.ok() || plan.family != kernel_family::window) {
      ++others;
      continue;
    }
    std::string const flaw = flaw_of(plan);
    if (!flaw.empty()) { FAIL(dwconv::describe(plan) << "\n" << flaw); }
    ++taken;
  }
  CHECK(taken > 1000);
  CHECK(others > 1000);
}
