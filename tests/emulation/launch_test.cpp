// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <dwconv/device/launch.cuh>
#include <dwconv/device/query.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

__global__ void nothing_kernel() {}

__global__ void count_kernel(int* visits)
{
  unsigned const block  = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  unsigned const thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  visits[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
}

__global__ void peek_kernel(float* out)
{
  out[blockIdx.x * blockDim.x + threadIdx.x] = dwconv::dynamic_shared_memory<float>()[threadIdx.x];
  dwconv::block_sync();
  dwconv::dynamic_shared_memory<float>()[threadIdx.x] = 1.0f;
}

__global__ void trap_kernel(int who)
{
  if (static_cast<int>(threadIdx.x) == who) { __trap(); }
}

__global__ void throw_kernel()
{
  throw std::runtime_error{"no"};
}

struct by_value {
  int numbers[3];
};

__global__ void argument_kernel(int* out, by_value const given,
                                __grid_constant__ double const factor)
{
  out[threadIdx.x] = given.numbers[threadIdx.x] * static_cast<int>(factor);
}

[[nodiscard]] cudaError_t try_launch(dim3 grid, dim3 block, unsigned shared_bytes = 0)
{
  return dwconv::launch(
    &nothing_kernel, {.grid = grid, .block = block, .shared_bytes = shared_bytes}, test_stream());
}

}  // namespace

TEST_CASE("every thread of a three-dimensional grid runs exactly once", "[emulation][launch]")
{
  under_every_schedule([] {
    dim3 const grid{3, 4, 5}, block{7, 3, 2};
    device_buffer<int> visits{std::vector<int>(3 * 4 * 5 * 7 * 3 * 2, 0)};
    auto const before = emulation::threads_run();
    REQUIRE(dwconv::launch(&count_kernel, {.grid = grid, .block = block}, test_stream(),
                           visits.data()) == cudaSuccess);
    CHECK(visits.read() == std::vector<int>(visits.size(), 1));
    CHECK(emulation::threads_run() - before == visits.size());
  });
}

TEST_CASE("launches outside CUDA's limits are refused and not counted", "[emulation][launch]")
{
  auto const before = emulation::launches();
  CHECK(try_launch({0, 1, 1}, {32, 1, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 65536, 1}, {32, 1, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 1, 65536}, {32, 1, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({0x80000000u, 1, 1}, {32, 1, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 1, 1}, {0, 1, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 1, 1}, {1025, 1, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 1, 1}, {512, 3, 1}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 1, 1}, {1, 1, 65}) == cudaErrorInvalidConfiguration);
  CHECK(try_launch({1, 1, 1}, {32, 1, 1}, 232449) ==
        cudaErrorInvalidValue);  // cudaFuncSetAttribute's answer
  CHECK(emulation::launches() == before);

  CHECK(try_launch({1, 65535, 1}, {1, 1, 1}) == cudaSuccess);
  CHECK(try_launch({1, 1, 1}, {16, 1, 64}) == cudaSuccess);
  CHECK(try_launch({1, 1, 1}, {1024, 1, 1}, 232448) == cudaSuccess);
  CHECK(emulation::launches() == before + 3);
}

TEST_CASE("a launch can be told to fail, once", "[emulation][launch]")
{
  auto const before = emulation::launches();
  emulation::fail_next_launch(cudaErrorMemoryAllocation);
  CHECK(try_launch(1, 32) == cudaErrorMemoryAllocation);
  CHECK(emulation::launches() == before);
  CHECK(try_launch(1, 32) == cudaSuccess);
  CHECK(emulation::launches() == before + 1);
}

TEST_CASE("the emulated device can be another, or none", "[emulation][launch]")
{
  dwconv::device_facts facts;
  CHECK(dwconv::query_current_device(facts).ok());
  CHECK(facts == dwconv::h200_facts);
  CHECK(dwconv::query_device(1, facts).code == dwconv::status_code::too_large);
  CHECK(dwconv::query_device(-1, facts).code == dwconv::status_code::too_small);

  auto old               = dwconv::h200_facts;
  old.compute_capability = 70;
  emulation::set_device(old);
  CHECK(dwconv::query_current_device(facts).code == dwconv::status_code::device_too_old);

  auto turing                   = dwconv::h200_facts;
  turing.compute_capability     = 75;
  turing.shared_bytes_per_block = 65536;
  emulation::set_device(turing);
  CHECK(dwconv::query_current_device(facts).ok());
  CHECK(facts == turing);
  CHECK(try_launch(1, 32, 65537) == cudaErrorInvalidValue);

  emulation::remove_device();
  CHECK_FALSE(device_available());
  CHECK(dwconv::query_current_device(facts).code == dwconv::status_code::no_device);
  CHECK(try_launch(1, 32) == cudaErrorNoDevice);
  emulation::set_device(dwconv::h200_facts);
}

TEST_CASE("shared memory is NaN at the start of each block", "[emulation][launch]")
{
  under_every_schedule([] {
    device_buffer<float> out{std::vector<float>(3 * 64, 0.0f)};
    REQUIRE(dwconv::launch(&peek_kernel, {.grid = 3, .block = 64, .shared_bytes = 256},
                           test_stream(), out.data()) == cudaSuccess);
    for (float const value : out.read()) { CHECK(std::isnan(value)); }
  });
}

TEST_CASE("a trap and an exception end the launch and are named", "[emulation][launch]")
{
  CHECK(dwconv::launch(&trap_kernel, {.grid = 2, .block = 64}, test_stream(), 5) ==
        cudaErrorLaunchFailure);
  CHECK(emulation::last_error() == "thread (5, 0, 0) of block (0, 0, 0): __trap() was reached");
  CHECK(synchronize() == cudaErrorLaunchFailure);
  CHECK(dwconv::launch(&throw_kernel, {.grid = 1, .block = 1}, test_stream()) ==
        cudaErrorLaunchFailure);
  CHECK(emulation::last_error() == "thread (0, 0, 0) of block (0, 0, 0): the kernel threw: no");
  CHECK(dwconv::launch(&trap_kernel, {.grid = 2, .block = 64}, test_stream(), -1) == cudaSuccess);
  CHECK(emulation::last_error().empty());
  CHECK(synchronize() == cudaSuccess);
}

TEST_CASE("arguments are converted and passed by value", "[emulation][launch]")
{
  device_buffer<int> out{3, poison{}};
  REQUIRE(dwconv::launch(&argument_kernel, {.grid = 1, .block = 3}, test_stream(), out.data(),
                         by_value{{1, 2, 3}}, 4) == cudaSuccess);
  CHECK(out.read() == std::vector<int>{4, 8, 12});
}

namespace {

#if !defined(__SANITIZE_ADDRESS__)
__global__ void stray_write_kernel(int at)
{
  dwconv::dynamic_shared_memory<char>()[at] = 1;
}
#endif

}  // namespace

#if !defined(__SANITIZE_ADDRESS__)  // which ends the process at such a write
TEST_CASE("a write just outside dynamic shared memory is an error", "[emulation][launch]")
{
  dwconv::launch_shape const shape{.grid = 1, .block = 1, .shared_bytes = 100};
  CHECK(dwconv::launch(&stray_write_kernel, shape, test_stream(), 99) == cudaSuccess);
  CHECK(dwconv::launch(&stray_write_kernel, shape, test_stream(), 100) == cudaErrorLaunchFailure);
  CHECK(emulation::last_error().find("a write outside the 100 bytes") != std::string::npos);
  CHECK(dwconv::launch(&stray_write_kernel, shape, test_stream(), -1) == cudaErrorLaunchFailure);
}
#endif
