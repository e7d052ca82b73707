// SPDX-License-Identifier: Apache-2.0
#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::forward_plan;
using dwconv::kernel_family;

namespace {

constexpr conv2d_problem problem{
  .batch = 2, .channels = 8, .input = {32, 32}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

// A plan can be made by the compiler itself: no GPU, no state, no clock.
constexpr forward_plan made_by_the_compiler = planned(problem);
static_assert(made_by_the_compiler.outcome.ok());
static_assert(made_by_the_compiler.family == kernel_family::window);
constexpr forward_plan direct_by_the_compiler =
  planned(problem, dwconv::dtype::float32, kernel_family::direct);
static_assert(direct_by_the_compiler.outcome.ok());
constexpr forward_plan chunked_by_the_compiler =
  planned({.batch = 1, .channels = 1, .input = {999, 9999}, .filter = {5, 5}, .pad = {2, 2, 2, 2}});
static_assert(chunked_by_the_compiler.family == kernel_family::window);
static_assert(chunked_by_the_compiler.window.tile.steps < chunked_by_the_compiler.window.tile.rows);
static_assert(direct_by_the_compiler.blocks == 2 * 8 * 32 * 32 / 256);
static_assert(std::is_trivially_copyable_v<forward_plan>, "plain data");

}  // namespace

TEST_CASE("the same question gets the same plan", "[purity]")
{
  CHECK(planned(problem) == made_by_the_compiler);
  CHECK(planned(problem) == planned(problem));
  CHECK(planned(problem, dwconv::dtype::float32, kernel_family::direct) == direct_by_the_compiler);
}

TEST_CASE("a copied plan is equal", "[purity]")
{
  forward_plan const copy = made_by_the_compiler;
  CHECK(copy == made_by_the_compiler);
}

TEST_CASE("plans that differ in anything are not equal", "[purity]")
{
  auto const differs = [](auto const& change) {
    forward_plan plan = direct_by_the_compiler, other = made_by_the_compiler;
    change(plan), change(other);
    return plan != direct_by_the_compiler && other != made_by_the_compiler;
  };
  CHECK(differs([](auto& p) { p.outcome.code = dwconv::status_code::mismatch; }));
  CHECK(differs([](auto& p) { p.problem.pad.left = 0; }));
  CHECK(differs([](auto& p) { p.element = dwconv::dtype::float64; }));
  CHECK(differs([](auto& p) { p.device.multiprocessors = 1; }));
  CHECK(made_by_the_compiler != direct_by_the_compiler);
  CHECK(differs([](auto& p) { p.family = static_cast<kernel_family>(7); }));
  CHECK(differs([](auto& p) { p.compiled.family = static_cast<kernel_family>(7); }));
  CHECK(differs([](auto& p) { p.compiled.taps = {3, 4}; }));
  CHECK(differs([](auto& p) { p.compiled.stride = {1, 2}; }));
  CHECK(differs([](auto& p) { p.direct.threads = 128; }));
  CHECK(differs([](auto& p) {
    using enum dwconv::index_width;
    p.direct.index = p.direct.index == bits64 ? bits32 : bits64;
  }));
  CHECK(differs([](auto& p) { ++p.window.tile.planes; }));
  CHECK(differs([](auto& p) { ++p.window.tile.rows; }));
  CHECK(differs([](auto& p) { ++p.window.tile.columns; }));
  CHECK(differs([](auto& p) { ++p.window.tile.steps; }));
  CHECK(differs([](auto& p) { ++p.window.piece.columns; }));
  CHECK(differs([](auto& p) { ++p.window.piece.rows; }));
  CHECK(differs([](auto& p) { ++p.window.rows_per_thread; }));
  CHECK(differs([](auto& p) { p.window.threads += 32; }));
  CHECK(differs([](auto& p) { ++p.blocks; }));
  CHECK(differs([](auto& p) { ++p.threads; }));
  CHECK(differs([](auto& p) { ++p.shared_bytes; }));
  CHECK(differs([](auto& p) { p.verdicts[2].eligible = false; }));
  CHECK(differs([](auto& p) { p.verdicts[0].reason = "because"; }));
}

TEST_CASE("verdicts compare by what they say, not by where it is stored", "[purity]")
{
  std::string const reason = planned(problem).verdicts[0].reason;
  forward_plan plan        = planned(problem);
  plan.verdicts[0].reason  = reason.c_str();
  CHECK(plan == planned(problem));
}
