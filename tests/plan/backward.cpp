// SPDX-License-Identifier: Apache-2.0
// Plans of gradients over many problems and devices: every term belongs to one split, chains of
// additions are short, plans are pure.
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/describe_backward.hpp>

#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::device_facts;
using dwconv::dtype;
using dwconv::layout;
using dwconv::split_sum;

namespace {

void check_split(split_sum const& s, std::int64_t units)
{
  REQUIRE(s.units == units);
  REQUIRE(s.splits >= 1);
  REQUIRE(s.splits <= dwconv::planning::most_splits);
  // All units, and none without any.
  REQUIRE(s.splits * s.per_split >= units);
  REQUIRE((s.splits - 1) * s.per_split < units);
  REQUIRE((s.threads == 32 || s.threads == 64 || s.threads == 128 || s.threads == 256));
  REQUIRE((s.lanes == s.threads || s.lanes == s.threads / 32));
}

template <typename Visit>
void for_each_problem(Visit const& visit)
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const batch : {1, 3, 64, 5000}) {
      for (std::int64_t const channels : {1, 31, 96, 4096}) {
        for (std::int64_t const size : {1, 7, 56, 512}) {
          for (std::int64_t const taps : {1, 3, 31}) {
            conv2d_problem const p{.batch       = batch,
                                   .channels    = channels,
                                   .input       = {size, size + 1},
                                   .filter      = {taps, taps},
                                   .pad         = {taps / 2, taps / 2, taps / 2, taps / 2},
                                   .data_layout = order};
            visit(p);
          }
        }
      }
    }
  }
}

std::vector<device_facts> devices()
{
  device_facts small    = dwconv::h200_facts;
  small.multiprocessors = 1;
  return {dwconv::h200_facts, small, device_facts{}};
}

}  // namespace

TEST_CASE("every term of a gradient is in one split", "[backward]")
{
  for (device_facts const& device : devices()) {
    for_each_problem([&](conv2d_problem const& p) {
      auto const out = dwconv::output_extent(p);
      for (dtype const type : {dtype::float16, dtype::float32, dtype::float64}) {
        auto const filter = dwconv::plan_backward_filter(p, type, device);
        REQUIRE(filter.outcome.ok());
        check_split(filter.direct.split, p.batch * out.height * out.width);
        std::int64_t const sum = type == dtype::float64 ? 8 : 4;
        REQUIRE(workspace_bytes(filter) ==
                filter.direct.split.splits * p.channels * p.filter.height * p.filter.width * sum);
        auto const bias = dwconv::plan_backward_bias(p, type, device);
        REQUIRE(bias.outcome.ok());
        std::int64_t const run =
          p.data_layout == layout::nhwc ? 1 : 16 / dwconv::size_in_bytes(type);
        check_split(bias.direct.split, p.batch * ((out.height * out.width + run - 1) / run));
        REQUIRE(workspace_bytes(bias) == bias.direct.split.splits * p.channels * sum);
      }
    });
  }
}

TEST_CASE("chains of additions grow far slower than sums", "[backward]")
{
  for_each_problem([](conv2d_problem const& p) {
    auto const plan  = dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts);
    auto const chain = plan.direct.split.longest_chain();
    auto const terms = plan.direct.split.units;
    REQUIRE(chain >= 1);
    REQUIRE(chain <=
            256 + 160 + terms / (256 * plan.direct.split.lanes * plan.direct.split.splits));
  });
  conv2d_problem const long_sum{
    .batch = 100, .channels = 128, .input = {1000, 1000}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  auto const plan = dwconv::plan_backward_filter(long_sum, dtype::float32, dwconv::h200_facts);
  REQUIRE(plan.direct.split.units == 100'000'000);
  CHECK(plan.direct.split.longest_chain() < 420);  // as docs/semantics.md says
}

TEST_CASE("plans of gradients are pure, and fit constant expressions", "[backward]")
{
  constexpr conv2d_problem p{
    .batch = 4, .channels = 8, .input = {28, 28}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  constexpr auto filter = dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts);
  constexpr auto bias   = dwconv::plan_backward_bias(p, dtype::float32, dwconv::h200_facts);
  CHECK(filter == dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts));
  CHECK(bias == dwconv::plan_backward_bias(p, dtype::float32, dwconv::h200_facts));
  auto const plan = [&] {
    return dwconv::plan_backward_data(p, dtype::float32, dwconv::h200_facts,
                                      dwconv::default_instances::shapes);
  };
  CHECK(plan() == plan());
  CHECK(plan().family == dwconv::kernel_family::window);
}

TEST_CASE("hostile problems have no plan of a gradient, and no undefined one", "[backward]")
{
  constexpr std::int64_t numbers[] = {INT64_MIN, -1, 0, std::int64_t{1} << 40, INT64_MAX};
  for (std::int64_t const a : numbers) {
    for (std::int64_t const b : numbers) {
      conv2d_problem const p{.batch    = a,
                             .channels = b,
                             .input    = {b, 1},
                             .filter   = {1, 1},
                             .stride   = {a, b},
                             .dilation = {b, a},
                             .pad      = {a, b, a, b}};
      bool const valid  = dwconv::validate(p).ok();
      auto const data   = dwconv::plan_backward_data(p, dtype::float64, dwconv::h200_facts,
                                                     dwconv::default_instances::shapes);
      auto const filter = dwconv::plan_backward_filter(p, dtype::float64, dwconv::h200_facts);
      auto const bias   = dwconv::plan_backward_bias(p, dtype::float64, dwconv::h200_facts);
      if (!valid) {
        CHECK_FALSE(data.outcome.ok());
        CHECK_FALSE(filter.outcome.ok());
        CHECK_FALSE(bias.outcome.ok());
        CHECK(workspace_bytes(filter) == 0);
        CHECK(workspace_bytes(bias) == 0);
      }
    }
  }
}
