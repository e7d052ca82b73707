// SPDX-License-Identifier: Apache-2.0
#include "forward/epilogue_case.hpp"
#include "forward/launch_watch.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;

namespace {

constexpr conv2d_problem empty{
  .batch = 0, .channels = 3, .input = {5, 5}, .filter = {3, 3}, .stride = {2, 2}};

}  // namespace

TEST_CASE("an empty batch succeeds and launches nothing, null pointers and all", "[empty_batch]")
{
  launch_watch const watch;
  CHECK(dwconv::forward<float>(empty, {}, test_stream()).ok());
  CHECK(dwconv::forward<double>(empty, {nullptr, nullptr, nullptr}, test_stream()).ok());
  CHECK(dwconv::forward<float, dwconv::taps<3, 3>, dwconv::stride<2, 2>>(empty, {}, test_stream())
          .ok());
  CHECK(door_with{dwconv::epilogue::bias<float>{nullptr}}(empty, dwconv::forward_tensors<float>{},
                                                          test_stream())
          .ok());
  CHECK(watch.saw_none());
  CHECK(synchronize() == cudaSuccess);
}

TEST_CASE("a plan for an empty batch runs and launches nothing", "[empty_batch]")
{
  launch_watch const watch;
  auto const plan = dwconv::make_forward_plan<float>(empty, dwconv::h200_facts);
  REQUIRE(plan.outcome.ok());
  CHECK(dwconv::run<float>(plan, {}, test_stream()).ok());
  CHECK(watch.saw_none());
}

TEST_CASE("an empty batch leaves y alone", "[empty_batch]")
{
  device_buffer<float> x{std::vector<float>(75, 1)}, y{std::size_t{12}, poison{}};
  CHECK(dwconv::forward<float>(empty, {x.data(), x.data(), y.data()}, test_stream()).ok());
  CHECK(synchronize() == cudaSuccess);
  CHECK(aftermath<float>{{}, cudaSuccess, y.read(), true}.y_untouched());
}

TEST_CASE("an empty batch of an invalid problem is still invalid", "[empty_batch]")
{
  conv2d_problem wrong = empty;
  wrong.filter         = {9, 9};
  CHECK(dwconv::forward<float>(wrong, {}, test_stream()).code ==
        dwconv::status_code::filter_exceeds_input);
}
