// SPDX-License-Identifier: Apache-2.0
// 32-bit indices are chosen where they are safe, and only there.
#include <algorithm>
#include <random>

#include <dwconv/kernels/direct/params.hpp>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::index_width;

namespace {

constexpr std::int64_t two_to_31 = std::int64_t{1} << 31;

conv2d_problem line(std::int64_t width)
{
  return {.batch = 1, .channels = 1, .input = {1, width}, .filter = {1, 1}};
}

bool narrow(conv2d_problem const& problem)
{
  auto const plan = planned(problem, dwconv::dtype::float32, dwconv::kernel_family::direct);
  REQUIRE(plan.outcome.ok());
  return plan.direct.index == index_width::bits32;
}

/// The window of one output, computed with 32 bits under the undefined behaviour sanitizer, is the
/// one computed with 64.
bool same_window(std::int64_t output, std::int64_t input, std::int64_t taps, std::int64_t stride,
                 std::int64_t dilation, std::int64_t pad)
{
  dwconv::direct_axis<std::int32_t> const narrow_axis{input, taps, stride, dilation, pad};
  dwconv::direct_axis<std::int64_t> const wide_axis{input, taps, stride, dilation, pad};
  auto const a = narrow_axis.window_of(static_cast<std::int32_t>(output));
  auto const b = wide_axis.window_of(output);
  return a.origin == b.origin && a.first == b.first && a.end == b.end;
}

}  // namespace

TEST_CASE("ordinary problems count with 32 bits", "[index_width]")
{
  CHECK(narrow({.batch = 64, .channels = 128, .input = {256, 512}, .filter = {3, 3}}));
  CHECK(narrow(line(two_to_31 - 4096)));
}

TEST_CASE("2^31 elements of x need 64 bits", "[index_width]")
{
  conv2d_problem p{.batch    = 2,
                   .channels = 1 << 10,
                   .input    = {1 << 10, 1 << 10},
                   .filter   = {1, 1},
                   .stride   = {64, 64}};
  CHECK_FALSE(narrow(p));
  p.input.width -= 1;
  CHECK(narrow(p));
}

TEST_CASE("2^31 elements of the filter need 64 bits", "[index_width]")
{
  conv2d_problem p{.batch    = 1,
                   .channels = 1 << 11,
                   .input    = {1, 1},
                   .filter   = {1 << 10, 1 << 10},
                   .pad      = {.top = 1023, .left = 1023}};
  CHECK_FALSE(narrow(p));
  p.channels -= 1;
  CHECK(narrow(p));
}

TEST_CASE("2^31 elements of y need 64 bits", "[index_width]")
{
  conv2d_problem p{.batch      = 1,
                   .channels   = 1 << 10,
                   .multiplier = 2,
                   .input      = {1 << 10, 1 << 10},
                   .filter     = {1, 1}};
  CHECK_FALSE(narrow(p));
  p.multiplier = 1;
  CHECK(narrow(p));
}

TEST_CASE("idle threads past the end of y are counted too", "[index_width]")
{
  CHECK(dwconv::fits_32_bits(line(INT32_MAX - 100), 100));
  CHECK_FALSE(dwconv::fits_32_bits(line(INT32_MAX - 100), 101));
}

TEST_CASE("2^31 elements of padding, stride or dilation need 64 bits", "[index_width]")
{
  conv2d_problem p{.batch = 1, .channels = 1, .input = {4, 4}, .filter = {2, 2}};
  auto const needs_64_bits = [&](auto const& change) {
    conv2d_problem changed = p;
    change(changed);
    return !narrow(changed);
  };
  // The stride keeps y small, so that only the number under test is large.
  p.stride = {1 << 30, 1 << 30};
  CHECK(needs_64_bits([](auto& q) { q.pad.top = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.pad.bottom = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.pad.left = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.pad.right = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.pad.left = q.pad.right = two_to_31 / 2; }));
  CHECK(needs_64_bits([](auto& q) { q.stride.height = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.stride.width = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.dilation.width = q.pad.right = two_to_31; }));
  CHECK(needs_64_bits([](auto& q) { q.dilation.height = q.pad.top = two_to_31; }));
  CHECK_FALSE(needs_64_bits([](auto& q) { q.pad = {1 << 29, 1 << 29, 1 << 29, 1 << 29}; }));
}

TEST_CASE("one tap far dilated needs 64 bits where its steps do", "[index_width]")
{
  conv2d_problem p = line(8);
  p.dilation       = {two_to_31, 1};
  CHECK_FALSE(narrow(p));
}

TEST_CASE("wherever 32 bits are chosen, windows come out as with 64", "[index_width]")
{
  std::mt19937_64 random{5};
  auto const size = [&] {
    return static_cast<std::int64_t>(1 + (random() >> (33 + random() % 31)));
  };
  int checked = 0, wrong = 0;
  for (int i = 0; i < 400'000; ++i) {
    conv2d_problem p = line(size());
    p.filter.width   = std::min<std::int64_t>(size(), 1 << 20);
    p.stride.width   = size();
    p.dilation.width = size();
    p.pad            = {.left = size() - 1, .right = size() - 1};
    if (!dwconv::validate(p).ok() || !narrow(p)) { continue; }
    ++checked;
    std::int64_t const last = dwconv::output_extent(p).width - 1;
    for (std::int64_t const output :
         {std::int64_t{0}, last / 2, std::max<std::int64_t>(last - 1, 0), last}) {
      wrong += !same_window(output, p.input.width, p.filter.width, p.stride.width, p.dilation.width,
                            p.pad.left);
    }
  }
  CHECK(wrong == 0);
  CHECK(checked > 10'000);
}
