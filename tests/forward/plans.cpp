// SPDX-License-Identifier: Apache-2.0
#include "forward/launch_watch.hpp"
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::forward_plan;
using dwconv::status;
using dwconv::status_code;

namespace {

constexpr conv2d_problem problem{
  .batch = 2, .channels = 3, .input = {9, 8}, .filter = {3, 3}, .pad = {1, 0, 1, 1}};

/// Runs a plan made beforehand.
struct door_of_plan {
  forward_plan plan;
  template <typename T>
  [[nodiscard]] status operator()(conv2d_problem const&, dwconv::forward_tensors<T> const& tensors,
                                  cudaStream_t stream) const
  {
    return dwconv::run<T>(plan, tensors, stream);
  }
};

status refused(forward_plan const& plan)
{
  launch_watch const watch;
  aftermath<float> const a = run_case(integer_case<float>(problem), door_of_plan{plan});
  CHECK(watch.saw_none());
  CHECK(a.y_untouched());
  CHECK(a.only_y_written);
  return a.outcome;
}

}  // namespace

TEST_CASE("a plan runs any number of times, on other data each time", "[plans]")
{
  auto const plan = dwconv::make_forward_plan<float>(problem, dwconv::h200_facts);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CHECK(agrees(integer_case<float>(problem, seed), tolerance::none, door_of_plan{plan}));
  }
}

TEST_CASE("a plan for another element type is a mismatch", "[plans]")
{
  CHECK(refused(dwconv::make_forward_plan<double>(problem, dwconv::h200_facts)) ==
        status{.code     = status_code::mismatch,
               .argument = "dtype of the tensors",
               .value    = static_cast<std::int64_t>(dwconv::dtype::float32),
               .limit    = static_cast<std::int64_t>(dwconv::dtype::float64)});
}

TEST_CASE("a plan that is none hands its reason back", "[plans]")
{
  conv2d_problem wrong = problem;
  wrong.dilation       = {9, 1};
  auto const plan      = dwconv::make_forward_plan<float>(wrong, dwconv::h200_facts);
  CHECK(plan.outcome == dwconv::validate(wrong));
  CHECK(refused(plan) == dwconv::validate(wrong));
}

TEST_CASE("a plan for an instance that the caller did not compile is a mismatch", "[plans]")
{
  using list = dwconv::instance_list<dwconv::direct_instance<dwconv::taps<3, 3>, dwconv::stride<1, 1>>>;
  auto const plan = dwconv::make_forward_plan<float, list>(problem, dwconv::h200_facts);
  REQUIRE(plan.outcome.ok());
  status const outcome = refused(plan);  // by run<float>, with the default instances
  CHECK(outcome.code == status_code::mismatch);
  CHECK(std::string{outcome.argument} == "number of compiled instances of the plan");
  CHECK(outcome.value == 0);
}

TEST_CASE("a plan for a numbered device is the plan for its facts", "[plans]")
{
  forward_plan const by_number = dwconv::make_forward_plan<float>(problem, 0);
  REQUIRE(by_number.outcome.ok());
  dwconv::device_facts facts;
  REQUIRE(dwconv::query_current_device(facts).ok());
  CHECK(by_number == dwconv::make_forward_plan<float>(problem, facts));
}

TEST_CASE("a device number out of range is refused", "[plans]")
{
  CHECK(dwconv::make_forward_plan<float>(problem, -1).outcome ==
        status{.code = status_code::too_small, .argument = "device", .value = -1, .limit = 0});
  forward_plan const beyond = dwconv::make_forward_plan<float>(problem, 4096);
  CHECK(beyond.outcome.code == status_code::too_large);
  CHECK(std::string{beyond.outcome.argument} == "device");
  CHECK(beyond.outcome.value == 4096);
  CHECK(refused(beyond) == beyond.outcome);
}

TEST_CASE("an invalid problem for a numbered device is called invalid", "[plans]")
{
  conv2d_problem wrong = problem;
  wrong.channels       = 0;
  CHECK(dwconv::make_forward_plan<float>(wrong, -1).outcome == dwconv::validate(wrong));
}

TEMPLATE_TEST_CASE("64-bit indices give the same bits as 32-bit ones", "[plans]", float, double,
                   __half, __nv_bfloat16)
{
  for (dwconv::layout const order : {dwconv::layout::nchw, dwconv::layout::nhwc}) {
    conv2d_problem const p{.batch       = 2,
                           .channels    = 3,
                           .multiplier  = 2,
                           .input       = {9, 11},
                           .filter      = {3, 4},
                           .stride      = {2, 1},
                           .dilation    = {2, 3},
                           .pad         = {3, 5, 4, 2},
                           .data_layout = order};
    auto plan = dwconv::make_forward_plan<TestType>(p, dwconv::h200_facts,
                                                    dwconv::kernel_family::direct);
    REQUIRE(plan.direct.index == dwconv::index_width::bits32);
    auto const c      = real_case<TestType>(p, 61);
    auto const narrow = output_of(c, door_of_plan{plan});
    plan.direct.index = dwconv::index_width::bits64;
    REQUIRE(!narrow.empty());
    CHECK(same_bits(output_of(c, door_of_plan{plan}), narrow));
    CHECK(agrees(integer_case<TestType>(p), tolerance::none, door_of_plan{plan}));
  }
}
