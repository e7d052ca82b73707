// SPDX-License-Identifier: Apache-2.0
// Plans of gradients: which kernels they name, that other index widths and families give the same
// bits, that they run any number of times.
#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::kernel_family;
using dwconv::layout;
using dwconv::status_code;

namespace {

constexpr conv2d_problem plain{
  .batch = 2, .channels = 3, .input = {19, 24}, .filter = {3, 3}, .pad = {1, 0, 0, 2}};

/// Runs a plan made beforehand.
template <typename Plan>
struct door_of_plan {
  Plan plan;
  template <typename Tensors, typename... Rest>
  [[nodiscard]] dwconv::status operator()(conv2d_problem const&, Tensors const& tensors,
                                          Rest const&... rest) const
  {
    return dwconv::run(plan, tensors, rest...);
  }
};
template <typename Plan>
door_of_plan(Plan) -> door_of_plan<Plan>;

template <typename T>
[[nodiscard]] kernel_family family_of(conv2d_problem const& p)
{
  auto const plan = dwconv::make_backward_data_plan<T>(p, dwconv::h200_facts);
  REQUIRE(plan.outcome.ok());
  return plan.family;
}

}  // namespace

TEST_CASE("with one filter a channel in steps of one, a forward kernel computes dx",
          "[backward_plans]")
{
  CHECK(family_of<float>(plain) == kernel_family::window);
  CHECK(family_of<double>(plain) == kernel_family::window);
  CHECK(family_of<__half>(plain) == kernel_family::toeplitz);
  conv2d_problem other = plain;
  other.dilation       = {2, 2};
  CHECK(family_of<float>(other) == kernel_family::window);
  other          = plain;
  other.filter   = {19, 13};
  other.pad      = {9, 9, 6, 6};
  auto const any = dwconv::make_backward_data_plan<float>(other, dwconv::h200_facts);
  CHECK(any.family == kernel_family::window);
  CHECK(any.turned.compiled.any_filter());
}

TEST_CASE("where dy is spread over dx the window family has kernels of its own", "[backward_plans]")
{
  conv2d_problem strided = plain;
  strided.stride         = {2, 2};
  conv2d_problem several = plain;
  several.multiplier     = 3;
  for (conv2d_problem const& p : {strided, several}) {
    auto const plan = dwconv::make_backward_data_plan<float>(p, dwconv::h200_facts);
    REQUIRE(plan.outcome.ok());
    CHECK(plan.spreads);
    CHECK(plan.family == kernel_family::window);
    CHECK(plan.turned == dwconv::forward_plan{});
    auto const direct =
      dwconv::make_backward_data_plan<float>(p, dwconv::h200_facts, kernel_family::direct);
    CHECK_FALSE(direct.spreads);
    CHECK(direct.family == kernel_family::direct);
  }
}

TEST_CASE("a plan whose kernel was not compiled is refused by name", "[backward_plans]")
{
  conv2d_problem strided = plain;
  strided.stride         = {2, 2};
  auto const c           = integer_gradients<float>(strided, 63);
  auto const door = [](conv2d_problem const& p, dwconv::backward_data_tensors<float> const& tensors,
                       cudaStream_t stream) {
    using others = dwconv::instances_for<dwconv::taps<5, 5>, dwconv::stride<2, 2>>;
    return dwconv::run<float, others>(dwconv::make_backward_data_plan<float>(p, 0), tensors,
                                      stream);
  };
  REQUIRE(dwconv::make_backward_data_plan<float>(strided, 0).spreads);
  auto const a = run_data(c, door);
  CHECK(a.outcome == dwconv::status{.code     = dwconv::status_code::mismatch,
                                    .argument = "number of compiled instances of the plan",
                                    .limit    = 1});
  CHECK(a.untouched());
}

TEST_CASE("else the direct family does, and says why", "[backward_plans]")
{
  auto const reason = [](conv2d_problem const& p) -> std::string {
    auto const plan = dwconv::make_backward_data_plan<float>(p, dwconv::h200_facts);
    REQUIRE(plan.outcome.ok());
    CHECK(plan.family == kernel_family::direct);
    CHECK(plan.turned == dwconv::forward_plan{});
    CHECK(plan.verdicts.back().eligible);
    return plan.verdicts.front().reason;
  };
  conv2d_problem p = plain;
  p.stride         = {1, 2};
  CHECK(reason(p) == "no kernel of it is compiled for this filter and stride");
  p.stride   = {2, 2};
  p.dilation = {2, 1};
  CHECK(reason(p) == "its window has no holes: the filter is dilated");
  p            = plain;
  p.multiplier = 33;
  CHECK(reason(p) == "a warp has fewer lanes than a channel has filters");
  p             = plain;
  p.stride      = {2, 2};
  p.input.width = 2000;
  CHECK(reason(p) == "rows are longer than a block");
  p     = plain;
  p.pad = {0, 3, 0, 0};
  CHECK(reason(p) == "some of dy saw nothing but padding");
  p             = plain;
  p.data_layout = layout::nhwc;
  CHECK(reason(p) == "its tiles are staged in nchw only");
}

TEST_CASE("a family may be asked for, and may decline", "[backward_plans]")
{
  auto const asked = [](conv2d_problem const& p, kernel_family family) {
    return dwconv::make_backward_data_plan<float>(p, dwconv::h200_facts, family);
  };
  CHECK(asked(plain, kernel_family::direct).family == kernel_family::direct);
  CHECK(asked(plain, kernel_family::window).family == kernel_family::window);
  CHECK(asked(plain, kernel_family::toeplitz).outcome ==
        dwconv::status{.code     = status_code::mismatch,
                       .argument = "family asked for",
                       .value    = static_cast<std::int64_t>(kernel_family::toeplitz),
                       .limit    = static_cast<std::int64_t>(kernel_family::direct)});
}

TEST_CASE("what no launch can cover is refused", "[backward_plans]")
{
  conv2d_problem vast{.batch       = 1L << 20,
                      .channels    = 1L << 20,
                      .input       = {1, 1L << 10},
                      .filter      = {1, 1},
                      .data_layout = layout::nhwc};
  CHECK(dwconv::make_backward_data_plan<float>(vast, dwconv::h200_facts).outcome ==
        dwconv::status{.code     = status_code::too_large,
                       .argument = "number of elements of dx",
                       .value    = 1L << 50,
                       .limit    = std::int64_t{INT32_MAX} * 256});
  conv2d_problem wide{.batch = 1, .channels = 1L << 40, .input = {1, 1}, .filter = {1, 1}};
  CHECK(dwconv::make_backward_filter_plan<float>(wide, dwconv::h200_facts).outcome ==
        dwconv::status{.code     = status_code::too_large,
                       .argument = "number of blocks of one launch",
                       .value    = 1L << 40,
                       .limit    = INT32_MAX});
  CHECK(dwconv::make_backward_bias_plan<float>(wide, dwconv::h200_facts).outcome.code ==
        status_code::too_large);
}

TEMPLATE_TEST_CASE("64-bit indices give the same gradients as 32-bit ones", "[backward_plans]",
                   float, double, __half, __nv_bfloat16)
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const p{.batch       = 2,
                           .channels    = 3,
                           .multiplier  = 2,
                           .input       = {9, 11},
                           .filter      = {3, 4},
                           .stride      = {2, 1},
                           .dilation    = {2, 3},
                           .pad         = {3, 5, 4, 2},
                           .data_layout = order};
    auto const c    = real_gradients<TestType>(p, 61);
    auto const same = [](auto const& run, auto plan) {
      REQUIRE(plan.direct.index == dwconv::index_width::bits32);
      auto const narrow = run(door_of_plan{plan});
      plan.direct.index = dwconv::index_width::bits64;
      auto const wide   = run(door_of_plan{plan});
      REQUIRE(narrow.fine());
      REQUIRE(wide.fine());
      CHECK(same_bits(narrow.gradient, wide.gradient));
    };
    dwconv::device_facts device;
    REQUIRE(dwconv::query_current_device(device).ok());
    same([&](auto const& door) { return run_data(c, door); },
         dwconv::make_backward_data_plan<TestType>(p, device));
    same([&](auto const& door) { return run_filter(c, door); },
         dwconv::make_backward_filter_plan<TestType>(p, device));
    same([&](auto const& door) { return run_bias(c, door); },
         dwconv::make_backward_bias_plan<TestType>(p, device));
  }
}

TEST_CASE("plans of gradients are described", "[backward_plans]")
{
  auto const data = describe(dwconv::make_backward_data_plan<float>(plain, dwconv::h200_facts));
  CHECK(data.find("backward_data float32 2x3x19x24 nchw") == 0);
  CHECK(data.find("family window: ") != std::string::npos);
  CHECK(data.find("with the filter turned, as the forward convolution of dy:\n"
                  "  compiled for filter 3x3, stride 1x1\n") != std::string::npos);
  conv2d_problem strided = plain;
  strided.stride         = {2, 2};
  CHECK(describe(dwconv::make_backward_data_plan<float>(strided, dwconv::h200_facts))
          .find("groups of 2 rows, ") != std::string::npos);
  strided.dilation = {2, 2};
  CHECK(describe(dwconv::make_backward_data_plan<float>(strided, dwconv::h200_facts))
          .find("tile of 256 neighbouring elements of dx, one a thread, 32-bit indices\n") !=
        std::string::npos);
  auto const filter = describe(dwconv::make_backward_filter_plan<float>(plain, dwconv::h200_facts));
  CHECK(filter.find("backward_filter float32") == 0);
  CHECK(filter.find("family window: ") != std::string::npos);
  CHECK(filter.find("side by side, whole planes; ") != std::string::npos);
  CHECK(filter.find(" splits, at most ") != std::string::npos);
  CHECK(filter.find(" bytes of workspace\n") != std::string::npos);
  CHECK(describe(dwconv::make_backward_bias_plan<float>(plain, dwconv::h200_facts))
          .find("backward_bias float32") == 0);
  conv2d_problem wrong = plain;
  wrong.channels       = 0;
  CHECK(describe(dwconv::make_backward_bias_plan<float>(wrong, dwconv::h200_facts))
          .find("no plan: channels is 0, must be at least 1") != std::string::npos);
}
