// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include "record.hpp"
#include "support/catch.hpp"

using dwconv::layout;

namespace {

std::set<std::string> kernels_launched()
{
  std::set<std::string> kernels;
  for (auto const& call : fake_cudart::calls()) {
    if (is_launch(call)) { kernels.insert(call.kernel); }
  }
  return kernels;
}

}  // namespace

TEST_CASE("forward launches once, on the caller's stream, the planned grid", "[launches]")
{
  fake_cudart::reset();
  auto problem            = modest;
  problem.data_layout     = GENERATE(layout::nchw, layout::nhwc);
  cudaStream_t const used = GENERATE(callers_stream, cudaStream_t{}, cudaStreamPerThread);
  auto const plan         = subject::plan(problem, 0);
  fake_cudart::calls().clear();

  REQUIRE(subject::forward(problem, somewhere(), used).message() == "success");
  auto const launch = the_launch();
  CHECK(launch.stream == used);
  CHECK(launch.grid.x == plan.blocks);
  CHECK(launch.grid.y == 1);
  CHECK(launch.grid.z == 1);
  CHECK(launch.block.x == static_cast<unsigned>(plan.threads));
  CHECK(launch.block.y == 1);
  CHECK(launch.block.z == 1);
  CHECK(launch.shared_bytes == static_cast<std::size_t>(plan.shared_bytes));
  CHECK(launch.kernel.find("6dwconv") != std::string::npos);
}

TEST_CASE("forward asks the runtime for device facts and a launch, and nothing else", "[launches]")
{
  fake_cudart::reset();
  std::set<std::string> const allowed{"cudaGetDevice",          "cudaGetDeviceCount",
                                      "cudaDeviceGetAttribute", "cudaFuncGetAttributes",
                                      "cudaFuncSetAttribute",   "cudaLaunchKernelExC"};
  auto const bias = address<float>(std::uintptr_t{1} << 53);
  CHECK(subject::forward(modest, somewhere(), callers_stream).ok());
  CHECK(subject::forward(modest, somewhere<double>(), callers_stream).ok());
  CHECK(subject::forward_with_bias(modest, somewhere(), bias, callers_stream).ok());
  CHECK(subject::forward_3x3(modest, somewhere(), callers_stream).ok());
  CHECK(launches() == 4);
  for (auto const& call : fake_cudart::calls()) {
    CAPTURE(call.name);
    CHECK(allowed.count(call.name) == 1);
  }
}

TEST_CASE("run asks the runtime for the launch alone", "[launches]")
{
  fake_cudart::reset();
  auto const plan = subject::plan(modest, 0);
  CHECK(launches() == 0);
  fake_cudart::calls().clear();

  REQUIRE(subject::run(plan, somewhere(), callers_stream).ok());
  REQUIRE(subject::run(plan, somewhere(), callers_stream).ok());
  REQUIRE(fake_cudart::calls().size() == 2);
  CHECK(launches() == 2);
}

TEST_CASE("each layout, dtype and static filter has a kernel of its own", "[launches]")
{
  fake_cudart::reset();
  auto channels_last        = modest;
  channels_last.data_layout = layout::nhwc;
  REQUIRE(subject::forward(modest, somewhere(), callers_stream).ok());
  REQUIRE(subject::forward(channels_last, somewhere(), callers_stream).ok());
  REQUIRE(subject::forward(modest, somewhere<double>(), callers_stream).ok());
  REQUIRE(subject::forward_3x3(channels_last, somewhere(), callers_stream).ok());
  CHECK(kernels_launched().size() == 4);
}

TEST_CASE("a filter that both doors compile for has one kernel for both", "[launches]")
{
  fake_cudart::reset();
  REQUIRE(subject::plan(modest, 0).family == dwconv::kernel_family::window);
  REQUIRE(subject::forward(modest, somewhere(), callers_stream).ok());
  REQUIRE(subject::forward_3x3(modest, somewhere(), callers_stream).ok());
  CHECK(launches() == 2);
  CHECK(kernels_launched().size() == 1);
}

TEST_CASE("batch 0 succeeds and launches nothing", "[launches]")
{
  fake_cudart::reset();
  auto nothing  = modest;
  nothing.batch = 0;
  dwconv::forward_tensors<float> const nowhere{};
  CHECK(subject::forward(nothing, nowhere, callers_stream).ok());
  CHECK(subject::run(subject::plan(nothing, 0), nowhere, callers_stream).ok());
  CHECK(launches() == 0);
}

TEST_CASE("what the runtime says of a launch reaches the caller", "[launches]")
{
  fake_cudart::reset();
  fake_cudart::pretended().launch_result = cudaErrorNoKernelImageForDevice;
  auto const status                      = subject::forward(modest, somewhere(), callers_stream);
  CHECK(status.code == dwconv::status_code::cuda_error);
  CHECK(status.cuda == cudaErrorNoKernelImageForDevice);
}
