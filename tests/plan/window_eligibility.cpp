// SPDX-License-Identifier: Apache-2.0
// What the window family's kernels for known filters take, and in which words they decline the
// rest.
#include <set>
#include <string>

#include "plan/planned.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::dtype;
using dwconv::forward_plan;
using dwconv::kernel_family;
using dwconv::status_code;

namespace {

constexpr conv2d_problem usual{
  .batch = 2, .channels = 8, .input = {32, 48}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

dwconv::verdict window_verdict(forward_plan const& plan)
{
  for (dwconv::verdict const& v : plan.verdicts) {
    if (v.family == kernel_family::window) { return v; }
  }
  return {};
}

/// What keeps the window family from `usual` with a change; empty if nothing does.
template <typename Change>
std::string obstacle(Change const& change, dtype type = dtype::float32)
{
  conv2d_problem changed = usual;
  change(changed);
  REQUIRE(dwconv::validate(changed).ok());
  forward_plan const plan       = planned_of_known(changed, type);
  dwconv::verdict const verdict = window_verdict(plan);
  CHECK((plan.outcome.ok() && plan.family == kernel_family::window) == verdict.eligible);
  CHECK_FALSE(verdict.reason == std::string{});
  return verdict.eligible ? std::string{} : verdict.reason;
}

constexpr std::int64_t most_planes = INT32_MAX / 2;
constexpr std::int64_t most_extent = std::int64_t{1} << 24;

}  // namespace

TEST_CASE("the window family takes its filters, for every type, and is preferred",
          "[window_eligibility]")
{
  for (int type = 0; type < 4; ++type) {
    int taken = 0;
    for (auto const& shape : shapes_of_known_filters) {
      if (shape.family != kernel_family::window) { continue; }
      conv2d_problem p = usual;
      p.filter         = shape.taps;
      p.stride         = shape.stride;
      auto const plan  = planned_of_known(p, static_cast<dtype>(type));
      CHECK(plan.family == kernel_family::window);
      CHECK(plan.compiled == shape);
      CHECK(window_verdict(plan).reason == std::string{"reads x once, in tiles"});
      ++taken;
    }
    CHECK(taken == 8);
  }
}

TEST_CASE("filters and strides that are not compiled are declined", "[window_eligibility]")
{
  std::string const uncompiled = "no kernel of it is compiled for this filter and stride";
  CHECK(obstacle([](auto& p) { p.filter = {3, 5}; }) == uncompiled);
  CHECK(obstacle([](auto& p) { p.filter = {1, 1}; }) == uncompiled);
  CHECK(obstacle([](auto& p) { p.filter = {9, 9}; }) == uncompiled);
  CHECK(obstacle([](auto& p) { p.stride = {1, 2}; }) == uncompiled);
  CHECK(obstacle([](auto& p) { p.stride = {3, 3}; }) == uncompiled);
  CHECK(obstacle([](auto& p) { p.filter = {7, 7}, p.stride = {2, 2}; }) == uncompiled);
}

TEST_CASE("channels inside and dilated filters are declined", "[window_eligibility]")
{
  CHECK(obstacle([](auto& p) { p.data_layout = dwconv::layout::nhwc; }) ==
        "its tiles are staged in nchw only");
  CHECK(obstacle([](auto& p) {
          p.dilation = {1, 2};
        }) == "its window has no holes: the filter is dilated");
  CHECK(obstacle([](auto& p) {
          p.dilation = {2, 1};
        }) == "its window has no holes: the filter is dilated");
}

TEST_CASE("planes are counted up to a limit", "[window_eligibility]")
{
  std::string const too_many = "y has more planes than it counts";
  auto const planes          = [](std::int64_t n, std::int64_t c, std::int64_t m) {
    return [=](auto& p) { p.batch = n, p.channels = c, p.multiplier = m, p.input = {1, 1}; };
  };
  CHECK(obstacle(planes(1, most_planes, 1)).empty());
  CHECK(obstacle(planes(most_planes, 1, 1)).empty());
  CHECK(obstacle(planes(1, most_planes + 1, 1)) == too_many);
  CHECK(obstacle(planes(most_planes + 1, 1, 1)) == too_many);
  CHECK(obstacle(planes(1 << 20, 1 << 8, 4)) == too_many);
}

TEST_CASE("planes are taken up to a length, padding included", "[window_eligibility]")
{
  std::string const too_long = "the planes are too long";
  auto const size            = [](std::int64_t height, std::int64_t width) {
    return [=](auto& p) { p.batch = 1, p.channels = 1, p.input = {height, width}; };
  };
  CHECK(obstacle(size(3, most_extent - 2)).empty());
  CHECK(obstacle(size(most_extent - 2, 3)).empty());
  CHECK(obstacle(size(most_extent - 2, 4096)).empty());
  CHECK(obstacle(size(4096, most_extent - 2)).empty());
  CHECK(obstacle(size(3, most_extent - 1)) == too_long);
  CHECK(obstacle(size(most_extent - 1, 3)) == too_long);
  CHECK(obstacle([](auto& p) { p.pad.top = most_extent; }) == too_long);
  CHECK(obstacle([](auto& p) { p.pad.right = most_extent; }) == too_long);
}

TEST_CASE("padding beside a row is taken up to a width, above and below any",
          "[window_eligibility]")
{
  std::string const too_wide = "the padding is wider than what it stages around a row";
  CHECK(obstacle([](auto& p) { p.pad = {0, 0, 64, 64}; }).empty());
  CHECK(obstacle([](auto& p) { p.pad = {100'000, 100'000, 0, 0}; }).empty());
  CHECK(obstacle([](auto& p) { p.pad.left = 65; }) == too_wide);
  CHECK(obstacle([](auto& p) { p.pad.right = 65; }) == too_wide);
}

TEST_CASE("outputs of one channel do not make a tile larger", "[window_eligibility]")
{
  for (std::int64_t const multiplier : {1 << 10, 1 << 16, 1 << 20, 1 << 24}) {
    CHECK(obstacle([&](auto& p) {
            p.batch      = 1;
            p.channels   = 1;
            p.multiplier = multiplier;
            p.input      = {64, 64};
          }).empty());
  }
}

TEST_CASE("where shared memory is small so are tiles, until it holds none", "[window_eligibility]")
{
  dwconv::device_facts facts = dwconv::h200_facts;
  auto const shapes          = std::span{shapes_of_known_filters};
  conv2d_problem large       = usual;
  large.input                = {200, 640};
  int const wanted           = planned_of_known(large, dtype::float64).shared_bytes;
  for (int const limit : {wanted, wanted - 1, wanted / 2, 16384, 8192}) {
    facts.shared_bytes_per_block = limit;
    auto const plan              = plan_forward(large, dtype::float64, facts, shapes);
    CHECK(plan.family == kernel_family::window);
    CHECK(plan.shared_bytes <= limit);
    CHECK((limit < wanted) == (plan.shared_bytes < wanted));
  }
  for (int const limit : {0, 128, 512}) {
    facts.shared_bytes_per_block = limit;
    auto const plan              = plan_forward(large, dtype::float64, facts, shapes);
    CHECK(plan.family == kernel_family::direct);
    CHECK(window_verdict(plan).reason == std::string{"a tile does not fit in shared memory"});
  }
}

TEST_CASE("steps of more rows than a warp has lanes are declined where rows are cut",
          "[window_eligibility]")
{
  auto const verdict_for = [](std::int64_t stride, dtype type, std::int64_t width) {
    dwconv::compiled_shape const shapes[] = {{kernel_family::window, {3, 3}, {stride, 1}}};
    conv2d_problem const p{
      .batch = 1, .channels = 1, .input = {400, width}, .filter = {3, 3}, .stride = {stride, 1}};
    return window_verdict(plan_forward(p, type, dwconv::h200_facts, shapes));
  };
  std::string const too_many = "its steps have more rows than a warp has lanes";
  CHECK(verdict_for(4, dtype::float16, 4000).eligible);
  CHECK(verdict_for(5, dtype::float16, 4000).reason == too_many);
  CHECK(verdict_for(5, dtype::float16, 40).eligible);
  CHECK(verdict_for(8, dtype::float32, 4000).eligible);
  CHECK(verdict_for(9, dtype::float32, 4000).reason == too_many);
  CHECK(verdict_for(16, dtype::float64, 4000).eligible);
  CHECK(verdict_for(17, dtype::float64, 4000).reason == too_many);
}

TEST_CASE("more tiles than one launch has blocks are declined", "[window_eligibility]")
{
  CHECK(obstacle([](auto& p) {
          p.batch    = 1;
          p.channels = most_planes;
          p.input    = {1, 5000};  // too long for a tile
        }) == "y needs more blocks than one launch has");
}

TEST_CASE("what direct cannot cover, the window family still may", "[window_eligibility]")
{
  conv2d_problem huge = usual;
  huge.batch          = 1;
  huge.channels       = 1 << 20;
  huge.input          = {1 << 10, 1 << 10};
  CHECK(planned_of_known(huge).outcome.ok());
  CHECK(planned_of_known(huge).family == kernel_family::window);
  CHECK(planned_of_known(huge, dtype::float32, kernel_family::direct).outcome.code ==
        status_code::too_large);
}

TEST_CASE("one family can be asked for, and may decline", "[window_eligibility]")
{
  CHECK(planned_of_known(usual, dtype::float32, kernel_family::window) == [] {
    auto plan        = planned_of_known(usual);
    plan.verdicts[1] = {kernel_family::toeplitz, false, "another family is asked for"};
    plan.verdicts[2] = {kernel_family::direct, false, "another family is asked for"};
    return plan;
  }());
  auto const direct = planned_of_known(usual, dtype::float32, kernel_family::direct);
  CHECK(direct.outcome.ok());
  CHECK(direct.family == kernel_family::direct);
  CHECK(window_verdict(direct) ==
        dwconv::verdict{kernel_family::window, false, "another family is asked for"});

  conv2d_problem dilated = usual;
  dilated.dilation       = {2, 2};
  auto const none        = planned_of_known(dilated, dtype::float32, kernel_family::window);
  CHECK(none.outcome.code == status_code::mismatch);
  CHECK(std::string{none.outcome.argument} == "family asked for");
  CHECK(none.blocks == 0);
}
