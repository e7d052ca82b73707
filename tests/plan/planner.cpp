// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::dtype;
using dwconv::extent2;
using dwconv::forward_plan;
using dwconv::kernel_family;
using dwconv::status_code;

namespace {

conv2d_problem random_problem(std::mt19937_64& random)
{
  // Small numbers mostly, so that most problems are valid; now and then any size.
  auto const up_to = [&](std::int64_t most) {
    bool const any_size = random() % 32 == 0;
    return static_cast<std::int64_t>(any_size ? random() >> (random() % 64)
                                              : random() % static_cast<std::uint64_t>(most));
  };
  // Every fourth is one that the window family may take.
  bool const often_square   = random() % 4 == 0;
  std::int64_t const taps   = 3 + 2 * static_cast<std::int64_t>(random() % 3);
  std::int64_t const stride = 1 + up_to(often_square ? 2 : 4);
  extent2 const filter      = often_square ? extent2{taps, taps} : extent2{up_to(12), up_to(12)};
  return {.batch       = up_to(65),
          .channels    = up_to(1025),
          .multiplier  = 1 + up_to(3),
          .input       = {up_to(1025), up_to(1025)},
          .filter      = filter,
          .stride      = often_square ? extent2{stride, stride} : extent2{stride, 1 + up_to(4)},
          .dilation    = often_square ? extent2{1, 1} : extent2{1 + up_to(4), 1 + up_to(4)},
          .pad         = {up_to(9), up_to(9), up_to(9), up_to(9)},
          .data_layout = random() % 2 == 0 ? dwconv::layout::nchw : dwconv::layout::nhwc};
}

/// What is wrong with the grid of a plan of the direct family.
std::string flaw_of_direct(forward_plan const& plan)
{
  std::int64_t const outputs = dwconv::output_elements(plan.problem);
  if (plan.threads != plan.direct.threads) { return "has blocks it did not ask for"; }
  if (plan.blocks * plan.threads < outputs) { return "leaves outputs out"; }
  if (outputs > 0 && (plan.blocks - 1) * plan.threads >= outputs) { return "has idle blocks"; }
  return {};
}

/// Of the window family's kernel for any filter; that its tiles cover y is for
/// any_filter_tiling.cpp.
std::string flaw_of_any_filter(forward_plan const& plan)
{
  std::int64_t const outputs   = dwconv::output_elements(plan.problem);
  dwconv::lattice_tile const t = plan.any_filter.tile;
  if (plan.threads != plan.any_filter.threads) { return "has blocks it did not ask for"; }
  if (plan.threads > dwconv::any_filter_threads || plan.threads % 32 != 0) {
    return "has odd blocks";
  }
  if (t.images < 1 || t.channels < 1 || t.rows < 1 || t.columns < 1) { return "has an empty tile"; }
  std::int64_t const most = std::int64_t{t.images} * t.channels * t.rows * t.columns;
  if (outputs / most > plan.blocks) { return "leaves outputs out"; }
  if (outputs > 0 && plan.blocks > outputs) { return "has idle blocks"; }
  return plan.shared_bytes <= 0 ? "stages nothing" : "";
}

/// Of the window family; that its tiles cover y is for window_tiling.cpp.
std::string flaw_of_window(forward_plan const& plan)
{
  std::int64_t const outputs = dwconv::output_elements(plan.problem);
  dwconv::tile_shape const t = plan.window.tile;
  if (plan.threads != plan.window.threads) { return "has blocks it did not ask for"; }
  int const most_threads =
    plan.compiled.slides ? dwconv::runtime_window_threads : dwconv::window_threads;
  if (plan.threads > most_threads || plan.threads % 32 != 0) { return "has odd blocks"; }
  if (t.planes < 1 || t.rows < 1 || t.columns < 1 || t.steps < 1) { return "has an empty tile"; }
  if (plan.window.rows_per_thread < 1) { return "has idle threads"; }
  std::int64_t const most = std::int64_t{t.planes} * t.rows * t.columns;
  if (outputs / most > plan.blocks) { return "leaves outputs out"; }
  if (outputs > 0 && plan.blocks > outputs) { return "has idle blocks"; }
  if (plan.shared_bytes <= 0) { return "stages nothing"; }
  return {};
}

/// Of the toeplitz family.
std::string flaw_of_toeplitz(forward_plan const& plan)
{
  std::int64_t const outputs    = dwconv::output_elements(plan.problem);
  dwconv::toeplitz_tile const t = plan.toeplitz.tile;
  if (plan.element != dtype::float16 && plan.element != dtype::bfloat16) { return "is not of half"; }
  if (plan.threads != plan.toeplitz.threads) { return "has blocks it did not ask for"; }
  if (plan.threads > dwconv::toeplitz_threads || plan.threads % 32 != 0) { return "has odd blocks"; }
  if (t.images < 1 || t.channels < 1 || t.rows < 1 || t.columns < 1) { return "has an empty tile"; }
  std::int64_t const most =
    std::int64_t{t.images} * t.channels * t.rows * t.columns * plan.problem.multiplier;
  if (outputs / most > plan.blocks) { return "leaves outputs out"; }
  if (outputs > 0 && plan.blocks > outputs) { return "has idle blocks"; }
  return plan.shared_bytes <= 0 ? "stages nothing" : "";
}

/// What is wrong with a plan for a valid problem, in words; empty if nothing is.
std::string flaw_of(forward_plan const& plan, conv2d_problem const& problem, dtype type)
{
  std::int64_t const outputs = dwconv::output_elements(problem);
  bool const window          = plan.family == kernel_family::window;
  if (plan.problem != problem || plan.element != type) { return "is for something else"; }
  if (plan.device != dwconv::h200_facts) { return "is for another device"; }
  if (!plan.compiled.takes(problem)) { return "names an instance that does not take the problem"; }
  for (dwconv::verdict const& v : plan.verdicts) {
    if (v.family == plan.family && !v.eligible) { return "is of a family that cannot"; }
    if (v.reason == std::string{}) { return "does not say why"; }
  }
  if (plan.threads < 1 || plan.threads > 1024) { return "has blocks no GPU runs"; }
  if (plan.shared_bytes < 0 || plan.shared_bytes > dwconv::h200_facts.shared_bytes_per_block) {
    return "has more shared memory than there is";
  }
  if (plan.blocks < 0 || plan.blocks > INT32_MAX) { return "has a grid no GPU runs"; }
  if (outputs == 0 && plan.blocks != 0) { return "launches for nothing"; }
  if (plan.family == kernel_family::toeplitz) { return flaw_of_toeplitz(plan); }
  if (window && plan.compiled.any_filter()) { return flaw_of_any_filter(plan); }
  return window ? flaw_of_window(plan) : flaw_of_direct(plan);
}

}  // namespace

TEST_CASE("every valid problem has a plan that covers it, every other one the reason", "[planner]")
{
  std::mt19937_64 random{99};
  int planned_ones = 0, windows = 0, refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    conv2d_problem const problem = random_problem(random);
    auto const type              = static_cast<dtype>(random() % 4);
    forward_plan const plan      = planned(problem, type);
    dwconv::status const verdict = dwconv::validate(problem);
    if (plan.outcome.ok()) {
      ++planned_ones;
      windows += plan.family == kernel_family::window;
      std::string const flaw = flaw_of(plan, problem, type);
      if (!flaw.empty()) { FAIL("plan " << i << " " << flaw); }
    } else {
      ++refused;
      bool const too_large = verdict.ok() && plan.outcome.code == status_code::too_large;
      if (!too_large && plan.outcome != verdict) { FAIL("plan " << i << " refused without cause"); }
    }
  }
  CHECK(planned_ones > 20'000);
  CHECK(windows > 1'000);
  CHECK(refused > 20'000);
}

TEST_CASE("a refused plan still says what was asked", "[planner]")
{
  conv2d_problem const hopeless{.batch = 1, .channels = 1, .input = {2, 2}, .filter = {3, 3}};
  forward_plan const plan = planned(hopeless, dtype::float16);
  CHECK(plan.outcome == dwconv::validate(hopeless));
  CHECK(plan.outcome.code == status_code::filter_exceeds_input);
  CHECK(plan.problem == hopeless);
  CHECK(plan.element == dtype::float16);
  CHECK(plan.blocks == 0);
}

TEST_CASE("an output that no launch can cover is too large, one element less is not", "[planner]")
{
  constexpr std::int64_t most = std::int64_t{INT32_MAX} * dwconv::direct_threads;
  conv2d_problem problem{.batch = 1, .channels = 1, .input = {1, most}, .filter = {1, 1}};
  CHECK(planned(problem).outcome.ok());
  CHECK(planned(problem).blocks == INT32_MAX);

  problem.input.width = most + 1;
  CHECK(planned(problem).outcome == dwconv::status{.code     = status_code::too_large,
                                                   .argument = "number of elements of y",
                                                   .value    = most + 1,
                                                   .limit    = most});
  CHECK(planned(problem).outcome.message() ==
        "number of elements of y is 549755813633, must be at most 549755813632");
}

TEST_CASE("an empty batch is planned and launches nothing", "[planner]")
{
  conv2d_problem const empty{.batch = 0, .channels = 4, .input = {5, 5}, .filter = {3, 3}};
  CHECK(planned(empty).outcome.ok());
  CHECK(planned(empty).blocks == 0);
}
