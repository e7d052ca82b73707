// SPDX-License-Identifier: Apache-2.0
// Plans of gradients over many problems and devices: every term belongs to one split, chains of
// additions are short, plans are pure.
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/describe_backward.hpp>

#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::device_facts;
using dwconv::dtype;
using dwconv::extent2;
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
        auto const filter =
          dwconv::plan_backward_filter(p, type, device, dwconv::kernel_family::direct);
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
    auto const plan  = dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts,
                                                    dwconv::kernel_family::direct);
    auto const chain = longest_chain(plan);
    auto const terms = plan.direct.split.units;
    REQUIRE(chain >= 1);
    REQUIRE(chain <=
            256 + 160 + terms / (256 * plan.direct.split.lanes * plan.direct.split.splits));
  });
  conv2d_problem const long_sum{
    .batch = 100, .channels = 128, .input = {1000, 1000}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  auto const direct = dwconv::plan_backward_filter(long_sum, dtype::float32, dwconv::h200_facts,
                                                   dwconv::kernel_family::direct);
  REQUIRE(direct.direct.split.units == 100'000'000);
  CHECK(longest_chain(direct) < 420);  // as docs/semantics.md says
  auto const window = dwconv::plan_backward_filter(long_sum, dtype::float32, dwconv::h200_facts);
  REQUIRE(window.family == dwconv::kernel_family::window);
  CHECK(longest_chain(window) < 2400);
}

namespace {

template <typename Visit>
void for_each_window_problem(Visit const& visit)
{
  for (auto const& shape : dwconv::window_filter_shapes) {
    std::int64_t const h = shape.taps.height, w = shape.taps.width;
    for (std::int64_t const batch : {1, 3, 64, 1000}) {
      for (std::int64_t const channels : {1, 7, 960}) {
        for (auto const& size : {extent2{7, 7}, extent2{9, 30}, extent2{14, 14}, extent2{56, 56},
                                 extent2{225, 113}, extent2{64, 5000}, extent2{3000, 9}}) {
          for (std::int64_t const multiplier : {1, 3}) {
            visit(conv2d_problem{.batch      = batch,
                                 .channels   = channels,
                                 .multiplier = multiplier,
                                 .input      = size,
                                 .filter     = shape.taps,
                                 .stride     = shape.stride,
                                 .pad = {(h - 1) / 2, (h - 1) / 2, (w - 1) / 2, (w - 1) / 2}});
          }
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("shares of the window family cover a sum and keep their promises", "[backward]")
{
  device_facts turing           = dwconv::h200_facts;
  turing.compute_capability     = 75;
  turing.shared_bytes_per_block = 64 * 1024;
  turing.multiprocessors        = 72;
  for (device_facts const& device : {dwconv::h200_facts, turing}) {
    for_each_window_problem([&](conv2d_problem const& p) {
      for (dtype const type : {dtype::float16, dtype::float32, dtype::float64}) {
        auto const plan =
          dwconv::plan_backward_filter(p, type, device, dwconv::kernel_family::window);
        REQUIRE(plan.outcome.ok());
        auto const& w   = plan.window;
        auto const out  = dwconv::output_extent(p);
        int const turn  = dwconv::window_filter_turns(p.filter, p.stride);
        int const bytes = static_cast<int>(dwconv::size_in_bytes(type));
        dwconv::window_filter_layout const at{p, w, bytes};
        REQUIRE(plan.threads % 32 == 0);
        REQUIRE(plan.threads <= dwconv::window_filter_threads);
        REQUIRE(plan.shared_bytes <= device.shared_bytes_per_block);
        REQUIRE(w.part % w.images == 0);
        // Each lane of a warp starts one run of each tensor.
        REQUIRE(w.images <= 32);
        if (!at.whole_rows) {
          REQUIRE(w.steps * p.stride.height <= 32);
          REQUIRE(w.images == 1);
          // No thread's columns are cut short but by the row's end.
          REQUIRE(w.columns % dwconv::window_filter_columns(p.filter, bytes) == 0);
        }
        // Rows of dy return to their registers where a chunk ends.
        if (!at.whole_planes) {
          REQUIRE(w.steps % turn == 0);
          REQUIRE(w.channels == 1);
          REQUIRE(w.down == 1);
        }
        REQUIRE(w.columns <= out.width);
        REQUIRE(split_count(plan) * filter_elements(p) * (bytes == 8 ? 8 : 4) ==
                workspace_bytes(plan));
        REQUIRE(longest_chain(plan) < 2400);
      }
    });
  }
}

TEST_CASE("tiles for any filter cover a sum and keep their promises", "[backward]")
{
  device_facts turing           = dwconv::h200_facts;
  turing.compute_capability     = 75;
  turing.shared_bytes_per_block = 64 * 1024;
  turing.multiprocessors        = 72;
  std::int64_t next             = 0;
  for (device_facts const& device : {dwconv::h200_facts, turing}) {
    for (std::int64_t const size : {1, 7, 14, 28, 56, 113, 700, 3000}) {
      for (extent2 const filter : {extent2{4, 4}, extent2{13, 13}, extent2{31, 31}, extent2{5, 63},
                                   extent2{129, 11}, extent2{1, 200}}) {
        ++next;
        conv2d_problem const p{.batch      = 1 + next % 5 * 17,
                               .channels   = 1 + next % 3 * 40,
                               .multiplier = 1 + next % 2,
                               .input      = {size, size + next % 9},
                               .filter     = filter,
                               .stride     = {1 + next % 2, 1 + next % 3},
                               .dilation   = {1 + next % 5 / 2, 1},
                               .pad = {filter.height, filter.height, filter.width, filter.width}};
        if (!dwconv::validate(p).ok()) { continue; }
        for (dtype const type : {dtype::float16, dtype::float32, dtype::float64}) {
          int const bytes   = static_cast<int>(dwconv::size_in_bytes(type));
          auto const policy = dwconv::choose_any_filter_gradient_policy(p, bytes, device);
          dwconv::any_filter_gradient_layout const at{p, policy, bytes};
          REQUIRE(policy.splits > 0);
          REQUIRE(at.threads() <= dwconv::any_filter_gradient_threads);
          REQUIRE(at.bytes(bytes) <= device.shared_bytes_per_block);
          REQUIRE(std::int64_t{policy.splits} * policy.per_split >= at.units(p, policy));
          REQUIRE((policy.splits - std::int64_t{1}) * policy.per_split < at.units(p, policy));
          REQUIRE(policy.images <= p.batch);
          // As docs/semantics.md says.
          REQUIRE((policy.splits >= 512 ||
                   dwconv::any_filter_gradient_chain(p, policy, bytes) < 8192 + 400));
        }
      }
    }
  }
  conv2d_problem const large{
    .batch = 32, .channels = 128, .input = {56, 56}, .filter = {31, 31}, .pad = {15, 15, 15, 15}};
  auto const plan = dwconv::plan_backward_filter(large, dtype::float32, dwconv::h200_facts);
  CHECK(for_any_filter(plan));
  CHECK(workspace_bytes(plan) == split_count(plan) * 128 * 31 * 31 * 4);
  // Half types have tensor cores for it.
  CHECK(dwconv::plan_backward_filter(large, dtype::float16, dwconv::h200_facts).family ==
        dwconv::kernel_family::toeplitz);
}

TEST_CASE("dilated 3x3 filters are the window family's, others with few taps are not", "[backward]")
{
  conv2d_problem p{.batch    = 16,
                   .channels = 256,
                   .input    = {65, 65},
                   .filter   = {3, 3},
                   .dilation = {12, 12},
                   .pad      = {12, 12, 12, 12}};
  for (dtype const type : {dtype::float16, dtype::float32, dtype::float64}) {
    auto const plan = dwconv::plan_backward_filter(p, type, dwconv::h200_facts);
    CHECK(plan.family == dwconv::kernel_family::window);
    CHECK_FALSE(for_any_filter(plan));
  }
  p.stride = {2, 2};
  CHECK(dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts).family ==
        dwconv::kernel_family::direct);
}

TEST_CASE("what the window family does not sum, and why", "[backward]")
{
  auto const reason = [](conv2d_problem const& p) -> std::string {
    auto const plan = dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts);
    REQUIRE(plan.outcome.ok());
    CHECK(plan.family == dwconv::kernel_family::direct);
    return plan.verdicts.front().reason;
  };
  conv2d_problem const plain{.batch = 2, .channels = 3, .input = {19, 24}, .filter = {3, 3}};
  conv2d_problem p = plain;
  p.batch          = 0;
  CHECK(reason(p) == "there is nothing to sum");
  p        = plain;
  p.filter = {2, 4};
  CHECK(reason(p) == "no kernel of it is compiled for this filter and stride");
  p          = plain;
  p.filter   = {3, 1};
  p.dilation = {2, 1};
  CHECK(reason(p) == "its window has no holes: the filter is dilated");
  p          = plain;
  p.pad.left = 65;
  CHECK(reason(p) == "the padding is wider than what it stages around a row");
  p             = plain;
  p.data_layout = layout::nhwc;
  CHECK(reason(p) == "its tiles are staged in nchw only");
  p       = plain;
  p.input = {1, 1};
  p.pad   = {2, 2, 2, 2};
  CHECK(dwconv::plan_backward_filter(p, dtype::float32, dwconv::h200_facts).family ==
        dwconv::kernel_family::window);
  CHECK(dwconv::plan_backward_filter(plain, dtype::float32, dwconv::h200_facts,
                                     dwconv::kernel_family::toeplitz)
          .outcome.argument == std::string{"family asked for"});
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
