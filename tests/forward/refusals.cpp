// SPDX-License-Identifier: Apache-2.0
// Emulated only: what a machine without a fit GPU, or a GPU that refuses, makes of a call.
#include "engine.hpp"
#include "forward/launch_watch.hpp"
#include "forward/scenario.hpp"
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

void check_refused(status const& expected)
{
  launch_watch const watch;
  aftermath<float> const a = run_case(integer_case<float>(problem));
  CHECK(a.outcome == expected);
  CHECK(watch.saw_none());
  CHECK(a.y_untouched());
  CHECK(a.only_y_written);
}

status const no_device{
  .code = status_code::no_device, .argument = "device", .value = 0, .limit = 1};

}  // namespace

TEST_CASE("a machine without a GPU is told so", "[refusals]")
{
  device_restored const at_the_end;
  emulation::remove_device();
  check_refused(no_device);
  CHECK(no_device.message() == "no CUDA device: 1 is needed, 0 found");
  CHECK(dwconv::make_forward_plan<float>(problem, 0).outcome == no_device);
}

TEST_CASE("an empty batch needs no GPU", "[refusals]")
{
  device_restored const at_the_end;
  emulation::remove_device();
  conv2d_problem empty = problem;
  empty.batch          = 0;
  CHECK(dwconv::forward<float>(empty, {}, test_stream()).ok());
}

TEST_CASE("an invalid problem is called invalid before the GPU is missed", "[refusals]")
{
  device_restored const at_the_end;
  emulation::remove_device();
  conv2d_problem wrong = problem;
  wrong.channels       = 0;
  CHECK(dwconv::forward<float>(wrong, {}, test_stream()) == dwconv::validate(wrong));
  CHECK(dwconv::make_forward_plan<float>(wrong, 0).outcome == dwconv::validate(wrong));
}

TEST_CASE("a plan for facts made up needs no GPU", "[refusals]")
{
  device_restored const at_the_end;
  emulation::remove_device();
  CHECK(dwconv::make_forward_plan<float>(problem, dwconv::h200_facts).outcome.ok());
}

TEST_CASE("a GPU older than the kernels is refused, the oldest supported is not", "[refusals]")
{
  device_restored const at_the_end;
  dwconv::device_facts facts = dwconv::h200_facts;
  facts.compute_capability   = 72;
  emulation::set_device(facts);
  status const too_old{.code     = status_code::device_too_old,
                       .argument = "compute capability",
                       .value    = 72,
                       .limit    = 75};
  check_refused(too_old);
  CHECK(too_old.message() ==
        "compute capability is 72, must be at least 75 (ten times major plus minor)");
  facts.compute_capability = 75;
  emulation::set_device(facts);
  // The emulation is compiled for sm_90, where the window family has instructions that this device
  // lacks; the direct family has the same code everywhere.
  conv2d_problem channels_last = problem;
  channels_last.data_layout    = dwconv::layout::nhwc;
  CHECK(agrees_with_reference<float>(channels_last));
}

TEST_CASE("a launch that the runtime refuses is reported with its error", "[refusals]")
{
  for (cudaError_t const error : {cudaErrorLaunchOutOfResources, cudaErrorInvalidConfiguration}) {
    emulation::fail_next_launch(error);
    check_refused({.code = status_code::cuda_error, .cuda = error, .argument = "kernel launch"});
  }
  CHECK(agrees_with_reference<float>(problem));  // one failure does not outlast its call
}
