// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include <dwconv/device/barrier.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/verdict.hpp"

namespace {

using dwconv::dynamic_shared_memory;
using dwconv::transaction_barrier;

constexpr unsigned threads = 128;
constexpr unsigned bytes   = 2 * threads * sizeof(float);

template <bool Barrier>
__global__ void neighbour_kernel(float* out)
{
  float* const tile = dynamic_shared_memory<float>();
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (Barrier) { dwconv::block_sync(); }
  out[threadIdx.x] = tile[(threadIdx.x + 1) % threads];
}

// Reads the left neighbour only: in forward order it has always been written already.
__global__ void left_neighbour_kernel(float* out)
{
  float* const tile = dynamic_shared_memory<float>();
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  out[threadIdx.x]  = threadIdx.x == 0 ? -1.0f : tile[threadIdx.x - 1];
}

// Writes the tile a second time while others may still be reading the first.
template <bool Barrier>
__global__ void reuse_kernel(float* out)
{
  float* const tile = dynamic_shared_memory<float>();
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  dwconv::block_sync();
  float const first = tile[(threadIdx.x + 1) % threads];
  if (Barrier) { dwconv::block_sync(); }
  tile[threadIdx.x] = -1000.0f;
  out[threadIdx.x]  = first;
}

template <bool Barrier>
__global__ void warp_neighbour_kernel(float* out)
{
  float* const tile   = dynamic_shared_memory<float>() + threadIdx.x / 32 * 32;
  unsigned const lane = threadIdx.x % 32;
  tile[lane]          = static_cast<float>(threadIdx.x);
  if (Barrier) { dwconv::warp_sync(); }
  out[threadIdx.x] = tile[(lane + 31) % 32] + tile[(lane + 1) % 32];
}

__global__ void early_exit_kernel(float*)
{
  if (threadIdx.x >= 96) { return; }
  dwconv::block_sync();
}

__global__ void one_warp_elsewhere_kernel(float*)
{
  auto* const barrier = dynamic_shared_memory<transaction_barrier>();
  if (threadIdx.x == 0) { barrier->init(1); }
  dwconv::block_sync();
  if (threadIdx.x < 32) {
    barrier->wait(0);
  } else {
    dwconv::block_sync();
  }
}

__global__ void half_a_warp_kernel(float* out)
{
  if (threadIdx.x % 32 < 16) { out[threadIdx.x] = dwconv::shuffle(1.0f, 0); }
}

__global__ void half_a_warp_waits_kernel(float* out)
{
  if (threadIdx.x % 32 < 16) {
    out[threadIdx.x] = dwconv::shuffle(1.0f, 0);
  } else {
    dwconv::block_sync();
  }
}

__global__ void two_operations_kernel(float* out)
{
  if (threadIdx.x % 2 == 0) {
    out[threadIdx.x] = dwconv::shuffle(1.0f, 0);
  } else {
    dwconv::warp_sync();
  }
}

__global__ void divergent_sites_kernel(float* out)
{
  if (threadIdx.x % 2 == 0) {
    dwconv::block_sync();
  } else {
    dwconv::block_sync();
  }
  out[threadIdx.x] = 1.0f;
}

__global__ void small_warp_kernel(float* out)
{
  out[threadIdx.x] = static_cast<float>(dwconv::transpose_matrix(threadIdx.x));
}

}  // namespace

TEST_CASE("a kernel with its barrier passes under every schedule", "[emulation][barrier]")
{
  auto const neighbour = [](std::size_t i) { return static_cast<float>((i + 1) % threads); };
  CHECK(schedules_that_object(&neighbour_kernel<true>, threads, bytes, neighbour) == 0);
  CHECK(schedules_that_object(&reuse_kernel<true>, threads, bytes, neighbour) == 0);
  auto const both = [](std::size_t i) {
    return static_cast<float>(2 * (i / 32 * 32) + (i + 31) % 32 + (i + 1) % 32);
  };
  CHECK(schedules_that_object(&warp_neighbour_kernel<true>, threads, bytes, both) == 0);
}

TEST_CASE("a missing barrier is found under some schedule", "[emulation][barrier]")
{
  auto const neighbour = [](std::size_t i) { return static_cast<float>((i + 1) % threads); };
  CHECK(schedules_that_object(&neighbour_kernel<false>, threads, bytes, neighbour) > 0);
  CHECK(schedules_that_object(&reuse_kernel<false>, threads, bytes, neighbour) > 0);
  auto const both = [](std::size_t i) {
    return static_cast<float>(2 * (i / 32 * 32) + (i + 31) % 32 + (i + 1) % 32);
  };
  CHECK(schedules_that_object(&warp_neighbour_kernel<false>, threads, bytes, both) > 0);
}

TEST_CASE("a race that forward order hides shows in reverse", "[emulation][barrier]")
{
  auto const right = [](verdict const& result) {
    for (std::size_t i = 0; i < threads; ++i) {
      if (result.out[i] != static_cast<float>(i) - 1) { return false; }
    }
    return true;
  };
  CHECK(right(
    run_kernel(&left_neighbour_kernel, threads, bytes, {.threads = emulation::order::forward})));
  CHECK_FALSE(right(
    run_kernel(&left_neighbour_kernel, threads, bytes, {.threads = emulation::order::reverse})));
}

TEST_CASE("a block barrier that some threads never reach is an error, not a hang",
          "[emulation][barrier]")
{
  for (auto const& plan : emulation::every_schedule) {
    auto const exited = run_kernel(&early_exit_kernel, threads, bytes, plan);
    CHECK(exited.says("block barrier reached by 96 of 128 threads (32 exited"));
    auto const elsewhere = run_kernel(&one_warp_elsewhere_kernel, threads, bytes, plan);
    CHECK(elsewhere.says("block barrier reached by 96 of 128 threads"));
    CHECK(elsewhere.says("32 waiting for an mbarrier"));
    CHECK(synchronize() == cudaErrorLaunchFailure);
  }
}

TEST_CASE("a warp operation that some lanes never reach is an error", "[emulation][barrier]")
{
  for (auto const& plan : emulation::every_schedule) {
    CHECK(run_kernel(&half_a_warp_kernel, threads, bytes, plan)
            .says("shuffle reached by 16 of 32 lanes of warp 0"));
    CHECK(run_kernel(&half_a_warp_waits_kernel, threads, bytes, plan)
            .says("shuffle reached by 16 of 32 lanes"));
    CHECK(run_kernel(&two_operations_kernel, threads, bytes, plan)
            .says("while other lanes of the warp are at"));
  }
  CHECK(run_kernel(&small_warp_kernel, 16, 0).says("in a warp of only 16 threads"));
}

TEST_CASE("a block barrier may be reached from different places", "[emulation][barrier]")
{
  CHECK(schedules_that_object(&divergent_sites_kernel, threads, 0,
                              [](std::size_t) { return 1.0f; }) == 0);
}

TEST_CASE("launches after a failed one run as if nothing had happened", "[emulation][barrier]")
{
  for (int i = 0; i < 50; ++i) {
    REQUIRE(run_kernel(&early_exit_kernel, threads, bytes).error == cudaErrorLaunchFailure);
    auto const result = run_kernel(&neighbour_kernel<true>, threads, bytes);
    REQUIRE(result.error == cudaSuccess);
    REQUIRE(result.sentence.empty());
    REQUIRE(result.out[5] == 6.0f);
  }
}

namespace {

// Mistakes with an mbarrier, one kernel for all.
enum class mistake {
  none,
  no_init,
  overwritten,
  too_many_arrivals,
  nobody_arrives,
  no_arrivals,
  wrong_parity
};

template <mistake Mistake>
__global__ void mbarrier_kernel(float* out)
{
  auto& barrier = *dynamic_shared_memory<transaction_barrier>();
  if (threadIdx.x == 0) {
    if (Mistake != mistake::no_init) {
      barrier.init(Mistake == mistake::no_arrivals ? 0 : threads);
    }
    dwconv::fence_barrier_init();
  }
  dwconv::block_sync();
  if (Mistake == mistake::overwritten && threadIdx.x == 7) {
    *dynamic_shared_memory<float>() = 1.0f;
  }
  if (Mistake != mistake::nobody_arrives) { barrier.arrive(); }
  if (Mistake == mistake::too_many_arrivals) { barrier.arrive_and_expect(16); }
  barrier.wait(Mistake == mistake::wrong_parity ? 2 : 0);
  out[threadIdx.x] = 1.0f;
}

// Two phases: what is written before a thread arrives is read after the wait.
__global__ void phases_kernel(float* out)
{
  auto& barrier     = *dynamic_shared_memory<transaction_barrier>();
  float* const tile = dynamic_shared_memory<float>() + 2;
  if (threadIdx.x == 0) {
    barrier.init(threads);
    dwconv::fence_barrier_init();
  }
  dwconv::block_sync();
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  barrier.arrive();
  barrier.wait(0);
  float const next = tile[(threadIdx.x + 1) % threads];
  barrier.arrive();
  barrier.wait(1);
  tile[threadIdx.x] = 2 * next;
  barrier.arrive();
  barrier.wait(0);
  out[threadIdx.x] = tile[(threadIdx.x + 1) % threads];
}

}  // namespace

TEST_CASE("an mbarrier runs through its phases", "[emulation][barrier]")
{
  CHECK(schedules_that_object(&phases_kernel, threads, bytes, [](std::size_t i) {
          return static_cast<float>(2 * ((i + 2) % threads));
        }) == 0);
  CHECK(run_kernel(&mbarrier_kernel<mistake::none>, threads, bytes).error == cudaSuccess);
}

TEST_CASE("mistakes with an mbarrier are named", "[emulation][barrier]")
{
  for (auto const& plan : emulation::every_schedule) {
    auto const run = [&](void (*kernel)(float*)) {
      return run_kernel(kernel, threads, bytes, plan);
    };
    CHECK(run(&mbarrier_kernel<mistake::no_init>)
            .says("mbarrier arrive on an mbarrier before its init"));
    CHECK(
      run(&mbarrier_kernel<mistake::overwritten>).says("on an mbarrier that something wrote over"));
    CHECK(run(&mbarrier_kernel<mistake::no_arrivals>).says("mbarrier init with 0 arrivals"));
    CHECK(run(&mbarrier_kernel<mistake::nobody_arrives>).says("128 arrivals and 0 bytes missing"));
    CHECK(run(&mbarrier_kernel<mistake::too_many_arrivals>).error == cudaErrorLaunchFailure);
    CHECK(run(&mbarrier_kernel<mistake::wrong_parity>).says("must be 0 or 1"));
  }
}
