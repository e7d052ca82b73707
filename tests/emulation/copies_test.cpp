// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/verdict.hpp"

// Every kernel here works when its mistake is `none`; each other value plants one bug.

namespace {

using dwconv::dynamic_shared_memory;
using dwconv::transaction_barrier;

constexpr unsigned threads = 64;
constexpr unsigned bytes   = 2048;

alignas(16) float const source[1024] = {1, 2, 3, 4, 5, 6, 7, 8};

enum class mistake {
  none,
  no_wait,
  wait_too_few,
  no_commit,
  no_barrier,
  no_fence,
  no_fence_init,
  misaligned,
  odd_size,
  outside,
  wrong_bytes,
  refill_early,
  overwrite_early,
};

/// Two groups of cp.async; the wait must cover both.
template <mistake Mistake>
__global__ void async_kernel(float* out)
{
  float* const tile = dynamic_shared_memory<float>();
  int const shift   = Mistake == mistake::misaligned ? 1 : 0;
  if (threadIdx.x < 2) {
    float* const to = Mistake == mistake::outside ? tile + bytes / 4 : tile + 4 * threadIdx.x;
    dwconv::async_copy<8>(to, source + 4 * threadIdx.x + shift);
    dwconv::async_commit();
    dwconv::async_copy<8>(to + 2, source + 4 * threadIdx.x + 2);
    if (Mistake != mistake::no_commit) { dwconv::async_commit(); }
  }
  if (Mistake == mistake::wait_too_few) {
    dwconv::async_wait<1>();
  } else if (Mistake != mistake::no_wait) {
    dwconv::async_wait<0>();
  }
  if (Mistake != mistake::no_barrier) { dwconv::block_sync(); }
  out[threadIdx.x] = tile[threadIdx.x % 8];
}

/// Two bulk loads into the same memory, one after the other; what is read is the sum of both.
template <mistake Mistake>
__global__ void load_kernel(float* out)
{
  auto& barrier     = *dynamic_shared_memory<transaction_barrier>();
  float* const tile = dynamic_shared_memory<float>() + 4;
  if (threadIdx.x == 0) {
    barrier.init(1);
    if (Mistake != mistake::no_fence_init) { dwconv::fence_barrier_init(); }
  }
  dwconv::block_sync();
  float sum = 0;
  for (int round = 0; round < (Mistake == mistake::no_wait ? 1 : 2); ++round) {
    if (threadIdx.x == 0) {
      float* const to         = Mistake == mistake::outside ? tile + bytes / 4 - 4 : tile;
      float const* const from = source + 4 * round + (Mistake == mistake::misaligned ? 1 : 0);
      barrier.arrive_and_expect(Mistake == mistake::wrong_bytes ? 32 : 16);
      dwconv::bulk_load(to, from, Mistake == mistake::odd_size ? 12 : 16, barrier);
    }
    if (Mistake != mistake::no_wait) { barrier.wait(static_cast<unsigned>(round)); }
    sum += tile[threadIdx.x % 4];
    if (Mistake != mistake::refill_early) { dwconv::block_sync(); }
  }
  out[threadIdx.x] = sum;
}

/// Two bulk stores out of the same memory.
template <mistake Mistake>
__global__ void store_kernel(float* out)
{
  float* const tile       = dynamic_shared_memory<float>();
  constexpr unsigned half = threads / 2;
  for (unsigned round = 0; round < 2; ++round) {
    if (threadIdx.x < half) { tile[threadIdx.x] = static_cast<float>(threadIdx.x + half * round); }
    if (Mistake != mistake::no_fence) { dwconv::fence_before_bulk(); }
    if (Mistake != mistake::no_barrier) { dwconv::block_sync(); }
    if (threadIdx.x == 0) {
      float const* const from = tile + (Mistake == mistake::misaligned ? 1 : 0) +
                                (Mistake == mistake::outside ? bytes / 4 - 4 : 0);
      dwconv::bulk_store(out + half * round, from, Mistake == mistake::odd_size ? 100 : half * 4);
      if (Mistake != mistake::no_commit) { dwconv::bulk_commit(); }
      if (Mistake != mistake::no_wait && (round == 1 || Mistake != mistake::overwrite_early)) {
        dwconv::bulk_wait_read<0>();
      }
    }
    dwconv::block_sync();
  }
}

[[nodiscard]] float copied(std::size_t i)
{
  return static_cast<float>(i % 8 + 1);
}
[[nodiscard]] float summed(std::size_t i)
{
  return static_cast<float>(2 * (i % 4) + 6);
}
[[nodiscard]] float counted(std::size_t i)
{
  return static_cast<float>(i);
}

constexpr emulation::schedule late{.threads     = emulation::order::forward,
                                   .copy_timing = emulation::copies::late};
constexpr emulation::schedule early{.threads     = emulation::order::forward,
                                    .copy_timing = emulation::copies::early};

}  // namespace

TEST_CASE("copies that are waited for arrive under every schedule", "[emulation][copies]")
{
  CHECK(schedules_that_object(&async_kernel<mistake::none>, threads, bytes, copied) == 0);
  CHECK(schedules_that_object(&load_kernel<mistake::none>, threads, bytes, summed) == 0);
  CHECK(schedules_that_object(&store_kernel<mistake::none>, threads, bytes, counted) == 0);
}

TEST_CASE("an async copy that nobody waited for reads as NaN", "[emulation][copies]")
{
  auto const forgotten = run_kernel(&async_kernel<mistake::no_wait>, threads, bytes, late);
  CHECK(forgotten.error == cudaSuccess);
  for (float const value : forgotten.out) { CHECK(std::isnan(value)); }
  auto const one_of_two = run_kernel(&async_kernel<mistake::wait_too_few>, threads, bytes, late);
  CHECK(one_of_two.out[1] == 2.0f);
  CHECK(std::isnan(one_of_two.out[2]));
  CHECK(std::isnan(run_kernel(&async_kernel<mistake::no_commit>, threads, bytes, late).out[2]));
  CHECK(schedules_that_object(&async_kernel<mistake::no_barrier>, threads, bytes, copied) > 0);
}

TEST_CASE("a bulk load that nobody waited for is an error", "[emulation][copies]")
{
  auto const forgotten = run_kernel(&load_kernel<mistake::no_wait>, threads, bytes, late);
  CHECK(forgotten.says("a bulk load was never waited for"));
  for (float const value : forgotten.out) { CHECK(std::isnan(value)); }
}

TEST_CASE("a bulk load into memory still being read shows when copies are early",
          "[emulation][copies]")
{
  CHECK(schedules_that_object(&load_kernel<mistake::refill_early>, threads, bytes, summed) > 0);
}

TEST_CASE("a bulk load that lands other bytes than announced deadlocks, which is an error",
          "[emulation][copies]")
{
  for (auto const& plan : emulation::every_schedule) {
    auto const result = run_kernel(&load_kernel<mistake::wrong_bytes>, threads, bytes, plan);
    CHECK(result.says("0 arrivals and 16 bytes missing"));
  }
}

TEST_CASE("a bulk store must be fenced, committed and waited for", "[emulation][copies]")
{
  for (auto const& plan : {late, early}) {
    auto const run = [&](void (*kernel)(float*)) {
      return run_kernel(kernel, threads, bytes, plan);
    };
    CHECK(run(&store_kernel<mistake::no_wait>).says("bulk store never waited for"));
    CHECK(run(&store_kernel<mistake::no_commit>).says("bulk store it never committed"));
    CHECK(run(&store_kernel<mistake::no_fence>).says("without fence_before_bulk"));
  }
}

TEST_CASE("a bulk store of memory not yet written, or written again, is found",
          "[emulation][copies]")
{
  CHECK(schedules_that_object(&store_kernel<mistake::no_barrier>, threads, bytes, counted) > 0);
  CHECK(schedules_that_object(&store_kernel<mistake::overwrite_early>, threads, bytes, counted) >
        0);
}

TEST_CASE("copies from or to where hardware would refuse are errors", "[emulation][copies]")
{
  for (auto const& plan : {late, early}) {
    auto const run = [&](void (*kernel)(float*)) {
      return run_kernel(kernel, threads, bytes, plan);
    };
    CHECK(run(&async_kernel<mistake::misaligned>).says("4 bytes past a multiple of 8"));
    CHECK(
      run(&async_kernel<mistake::outside>).says("outside the 2048 bytes of dynamic shared memory"));
    CHECK(run(&load_kernel<mistake::misaligned>)
            .says("global address is 4 bytes past a multiple of 16"));
    CHECK(run(&load_kernel<mistake::odd_size>).says("bulk_load of 12 bytes"));
    CHECK(run(&load_kernel<mistake::outside>).says("bulk_load outside the 2048 bytes"));
    CHECK(run(&load_kernel<mistake::no_fence_init>).says("without fence_barrier_init"));
    CHECK(run(&store_kernel<mistake::misaligned>)
            .says("shared address is 4 bytes past a multiple of 16"));
    CHECK(run(&store_kernel<mistake::odd_size>).says("bulk_store of 100 bytes"));
    CHECK(run(&store_kernel<mistake::outside>).says("bulk_store outside the 2048 bytes"));
  }
}

TEST_CASE("an older device refuses the copies it does not have", "[emulation][copies]")
{
  auto const with_capability = [](int capability) {
    auto facts               = dwconv::h200_facts;
    facts.compute_capability = capability;
    emulation::set_device(facts);
  };
  with_capability(80);
  CHECK(run_kernel(&async_kernel<mistake::none>, threads, bytes).error == cudaSuccess);
  CHECK(run_kernel(&load_kernel<mistake::none>, threads, bytes)
          .says("needs compute capability 90, the device has 80"));
  CHECK(
    run_kernel(&store_kernel<mistake::none>, threads, bytes).says("needs compute capability 90"));
  with_capability(75);
  CHECK(run_kernel(&async_kernel<mistake::none>, threads, bytes)
          .says("async_copy needs compute capability 80"));
  emulation::set_device(dwconv::h200_facts);
}
