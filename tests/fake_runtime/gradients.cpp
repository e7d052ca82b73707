// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include "record.hpp"
#include "support/catch.hpp"

using dwconv::status_code;

namespace {

dwconv::backward_data_tensors<float> data_somewhere()
{
  auto const t = somewhere();
  return {.dy = t.x, .filter = t.filter, .dx = t.y};
}

dwconv::backward_filter_tensors<float> filter_somewhere()
{
  auto const t = somewhere();
  return {.x = t.x, .dy = t.filter, .dfilter = t.y};
}

dwconv::backward_bias_tensors<float> bias_somewhere()
{
  return {.dy = somewhere().x, .dbias = somewhere().y};
}

/// Far from everything else.
dwconv::workspace const scratch{address<float>(std::uintptr_t{1} << 53), std::int64_t{1} << 40};

void check_streams_and_calls(std::int64_t expected_launches)
{
  std::set<std::string> const allowed{"cudaGetDevice",          "cudaGetDeviceCount",
                                      "cudaDeviceGetAttribute", "cudaFuncGetAttributes",
                                      "cudaFuncSetAttribute",   "cudaLaunchKernelExC"};
  CHECK(launches() == expected_launches);
  for (auto const& call : fake_cudart::calls()) {
    CAPTURE(call.name);
    CHECK(allowed.count(call.name) == 1);
    if (is_launch(call)) { CHECK(call.stream == callers_stream); }
  }
}

}  // namespace

TEST_CASE("backward_data launches one kernel on the caller's stream", "[gradients]")
{
  fake_cudart::reset();
  auto problem   = modest;
  problem.stride = GENERATE(dwconv::extent2{1, 1}, dwconv::extent2{2, 2});
  REQUIRE(subject::backward_data(problem, data_somewhere(), callers_stream).ok());
  check_streams_and_calls(1);
}

TEST_CASE("sums over the batch launch two kernels on the caller's stream, whatever the batch",
          "[gradients]")
{
  auto problem  = modest;
  problem.batch = GENERATE(1, 2, 1000);
  fake_cudart::reset();
  REQUIRE(subject::backward_filter(problem, filter_somewhere(), scratch, callers_stream).ok());
  check_streams_and_calls(2);
  fake_cudart::reset();
  REQUIRE(subject::backward_bias(problem, bias_somewhere(), scratch, callers_stream).ok());
  check_streams_and_calls(2);
}

TEST_CASE("the gradient of the forward kernel's kind is a forward kernel", "[gradients]")
{
  fake_cudart::reset();
  REQUIRE(subject::backward_data(modest, data_somewhere(), callers_stream).ok());
  auto const turned = the_launch().kernel;
  fake_cudart::reset();
  auto straight = modest;
  REQUIRE(subject::forward(straight, somewhere(), callers_stream).ok());
  // modest has 3x3 taps and padding 1, so both kernels are the same.
  CHECK(turned == the_launch().kernel);
}

TEST_CASE("refused gradients launch nothing", "[gradients]")
{
  fake_cudart::reset();
  auto small  = scratch;
  small.bytes = 3;
  CHECK(subject::backward_filter(modest, filter_somewhere(), small, callers_stream).code ==
        status_code::too_small);
  CHECK(subject::backward_bias(modest, bias_somewhere(), small, callers_stream).code ==
        status_code::too_small);
  CHECK(subject::backward_data(modest, {}, callers_stream).code == status_code::null_pointer);
  auto wrong     = modest;
  wrong.dilation = {100, 1};
  CHECK_FALSE(subject::backward_data(wrong, data_somewhere(), callers_stream).ok());
  CHECK_FALSE(subject::backward_filter(wrong, filter_somewhere(), scratch, callers_stream).ok());
  CHECK_FALSE(subject::backward_bias(wrong, bias_somewhere(), scratch, callers_stream).ok());
  CHECK(launches() == 0);
}

TEST_CASE("of an empty batch one kernel writes zeros", "[gradients]")
{
  auto problem  = modest;
  problem.batch = 0;
  fake_cudart::reset();
  REQUIRE(subject::backward_filter(problem, filter_somewhere(), {}, callers_stream).ok());
  check_streams_and_calls(1);
  fake_cudart::reset();
  REQUIRE(subject::backward_data(problem, {}, callers_stream).ok());
  CHECK(launches() == 0);
}
