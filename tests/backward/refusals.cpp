// SPDX-License-Identifier: Apache-2.0
// Emulated only: what a machine without a fit GPU, or a GPU that refuses, makes of a gradient.
#include "backward/scenario.hpp"
#include "engine.hpp"
#include "forward/launch_watch.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::status;
using dwconv::status_code;

namespace {

constexpr conv2d_problem problem{.batch = 1, .channels = 2, .input = {5, 5}, .filter = {3, 3}};

/// Puts the H200 back when a test is done.
struct device_restored {
  ~device_restored() { emulation::set_device(dwconv::h200_facts); }
};

/// The doors' answers; nothing may be written.
std::vector<status> answers()
{
  auto const c = integer_gradients<float>(problem);
  auto const plan =
    dwconv::plan_backward_filter(problem, dwconv::dtype::float32, dwconv::h200_facts);
  device_buffer<float> scratch{static_cast<std::size_t>(workspace_bytes(plan)) / 4, poison{}};
  device_buffer<float> x{c.x}, dy{c.dy}, filter{c.filter};
  device_buffer<float> dx{c.x.size(), poison{}}, sums{std::size_t{18}, poison{}};
  dwconv::workspace const space{scratch.data(), workspace_bytes(plan)};
  std::vector<status> const all{
    dwconv::backward_data<float>(problem, {dy.data(), filter.data(), dx.data()}, test_stream()),
    dwconv::backward_filter<float>(problem, {x.data(), dy.data(), sums.data()}, space,
                                   test_stream()),
    dwconv::backward_bias<float>(problem, {dy.data(), sums.data()}, space, test_stream())};
  CHECK(gradient_aftermath<float>{{}, cudaSuccess, dx.read(), true}.untouched());
  CHECK(gradient_aftermath<float>{{}, cudaSuccess, sums.read(), true}.untouched());
  return all;
}

}  // namespace

TEST_CASE("without a GPU there are no gradients", "[backward_refusals]")
{
  device_restored const at_the_end;
  emulation::remove_device();
  status const no_device{
    .code = status_code::no_device, .argument = "device", .value = 0, .limit = 1};
  launch_watch const watch;
  for (status const& answer : answers()) { CHECK(answer == no_device); }
  CHECK(watch.saw_none());
  CHECK(dwconv::make_backward_data_plan<float>(problem, 0).outcome == no_device);
  CHECK(dwconv::make_backward_filter_plan<float>(problem, 0).outcome == no_device);
  CHECK(dwconv::make_backward_bias_plan<float>(problem, 0).outcome == no_device);
  CHECK(dwconv::make_backward_filter_plan<float>(problem, dwconv::h200_facts).outcome.ok());
}

TEST_CASE("a GPU older than the kernels is refused by gradients too", "[backward_refusals]")
{
  device_restored const at_the_end;
  dwconv::device_facts facts = dwconv::h200_facts;
  facts.compute_capability   = 70;
  emulation::set_device(facts);
  for (status const& answer : answers()) {
    CHECK(answer.code == status_code::device_too_old);
    CHECK(answer.value == 70);
  }
}

TEST_CASE("a launch of a gradient that the runtime refuses is reported", "[backward_refusals]")
{
  auto const c = integer_gradients<float>(problem);
  status const expected{.code     = status_code::cuda_error,
                        .cuda     = cudaErrorLaunchOutOfResources,
                        .argument = "kernel launch"};
  emulation::fail_next_launch(cudaErrorLaunchOutOfResources);
  auto const dx = run_data(c);
  CHECK(dx.outcome == expected);
  CHECK(dx.untouched());
  emulation::fail_next_launch(cudaErrorLaunchOutOfResources);
  auto const dfilter = run_filter(c);
  CHECK(dfilter.outcome == expected);
  CHECK(dfilter.untouched());
  emulation::fail_next_launch(cudaErrorLaunchOutOfResources);
  auto const dbias = run_bias(c);
  CHECK(dbias.outcome == expected);
  CHECK(dbias.untouched());
  CHECK(gradients_agree<float>(problem));  // one failure does not outlast its call
}
