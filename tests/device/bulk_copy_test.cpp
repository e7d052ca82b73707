// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <vector>

#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/launch.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

constexpr int threads = 96;
constexpr int stages  = 2;
constexpr int width   = 128;  // ints a step

// A ring: thread 0 fills a stage whenever all threads have emptied it; results leave through two
// stores in flight.
struct ring_memory {
  alignas(16) int in[stages][width];
  alignas(16) int out[stages][width];
  dwconv::transaction_barrier full[stages];
  dwconv::transaction_barrier empty[stages];
};

__global__ void ring_kernel(int const* x, int* y, int steps)
{
  ring_memory& ring = *dwconv::dynamic_shared_memory<ring_memory>();
  int const first   = static_cast<int>(blockIdx.x) * steps;
  bool const leader = threadIdx.x == 0;
  if (leader) {
    for (int s = 0; s < stages; ++s) {
      ring.full[s].init(1);
      ring.empty[s].init(threads);
    }
    dwconv::fence_barrier_init();
  }
  dwconv::block_sync();

  auto const fill = [&](int step) {
    int const stage = step % stages;
    ring.empty[stage].wait(static_cast<unsigned>(step / stages + 1) %
                           2);  // a fresh ring counts as emptied
    ring.full[stage].arrive_and_expect(sizeof ring.in[stage]);
    // In two parts, as rows of a tile would come.
    constexpr int part    = width / 2;
    int const* const from = x + (first + step) * width;
    dwconv::bulk_load(ring.in[stage], from, part * sizeof(int), ring.full[stage]);
    dwconv::bulk_load(ring.in[stage] + part, from + part, part * sizeof(int), ring.full[stage]);
  };
  if (leader) {
    for (int step = 0; step < stages && step < steps; ++step) { fill(step); }
  }

  for (int step = 0; step < steps; ++step) {
    int const stage = step % stages;
    ring.full[stage].wait(static_cast<unsigned>(step / stages) % 2);
    if (leader) { dwconv::bulk_wait_read<stages - 1>(); }
    dwconv::block_sync();  // the store that last read this stage's `out` is through
    for (int i = static_cast<int>(threadIdx.x); i < width; i += threads) {
      ring.out[stage][i] = 2 * ring.in[stage][width - 1 - i] + step;
    }
    ring.empty[stage].arrive();
    dwconv::fence_before_bulk();
    dwconv::block_sync();
    if (leader) {
      dwconv::bulk_store(y + (first + step) * width, ring.out[stage], sizeof ring.out[stage]);
      dwconv::bulk_commit();
      if (step + stages < steps) { fill(step + stages); }
    }
  }
  if (leader) { dwconv::bulk_wait<0>(); }
}

}  // namespace

TEST_CASE("a ring of bulk copies carries every step through, over many phases",
          "[device][bulk_copy]")
{
  under_every_schedule([] {
    for (int const steps : {1, 2, 3, 9}) {
      CAPTURE(steps);
      constexpr unsigned blocks = 3;
      std::vector<int> values(static_cast<std::size_t>(steps) * blocks * width);
      for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<int>(5 * i + 1); }
      device_buffer<int> x{values}, y{values.size(), poison{}};
      REQUIRE(
        dwconv::launch(&ring_kernel,
                       {.grid = blocks, .block = threads, .shared_bytes = sizeof(ring_memory)},
                       test_stream(), x.data(), y.data(), steps) == cudaSuccess);
      REQUIRE(synchronize() == cudaSuccess);
      auto const found = y.read();
      bool same        = true;
      for (std::size_t i = 0; i < found.size(); ++i) {
        std::size_t const row = i / width * width;
        int const step        = static_cast<int>(i / width) % steps;
        same                  = same && found[i] == 2 * values[row + width - 1 - (i - row)] + step;
      }
      CHECK(same);
      CHECK(y.canaries_intact());
    }
  });
}

namespace {

// Every thread announces its own part and fetches it: many arrivals and many copies in one phase.
__global__ void shared_phase_kernel(int const* x, int* y)
{
  auto& barrier   = *dwconv::dynamic_shared_memory<dwconv::transaction_barrier>();
  int* const tile = dwconv::dynamic_shared_memory<int>() + 4;
  if (threadIdx.x == 0) {
    barrier.init(blockDim.x);
    dwconv::fence_barrier_init();
  }
  dwconv::block_sync();
  auto const count = static_cast<int>(blockDim.x);
  for (int round = 0; round < 3; ++round) {
    auto const mine = 4 * static_cast<int>(threadIdx.x);
    dwconv::bulk_load(tile + mine, x + round * 4 * count + mine, 16, barrier);
    barrier.arrive_and_expect(16);
    barrier.wait(static_cast<unsigned>(round) % 2);
    int const reader = 4 * ((static_cast<int>(threadIdx.x) + 1) % count);
    for (int i = 0; i < 4; ++i) { y[round * 4 * count + reader + i] = tile[reader + i]; }
    dwconv::block_sync();
  }
}

}  // namespace

TEST_CASE("a phase may collect arrivals and copies from every thread", "[device][bulk_copy]")
{
  under_every_schedule([] {
    std::vector<int> values(3 * 64 * 4);
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<int>(3 * i + 2); }
    device_buffer<int> x{values}, y{values.size(), poison{}};
    REQUIRE(dwconv::launch(&shared_phase_kernel,
                           {.grid = 1, .block = 64, .shared_bytes = 16 + 64 * 16}, test_stream(),
                           x.data(), y.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    CHECK(y.read() == values);
  });
}
