// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <vector>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/launch.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

constexpr unsigned threads = 64;

// Each thread copies its own Bytes, of which threadIdx.x % (Bytes + 1) are valid, and reads its
// neighbour's.
template <int Bytes>
__global__ void zero_fill_kernel(unsigned char const* in, unsigned char* out)
{
  auto* const tile = dwconv::dynamic_shared_memory<unsigned char>();
  auto const mine  = threadIdx.x * Bytes;
  dwconv::async_copy<Bytes>(tile + mine, in + mine, static_cast<int>(threadIdx.x % (Bytes + 1)));
  dwconv::async_commit();
  dwconv::async_wait<0>();
  dwconv::block_sync();
  auto const next = (threadIdx.x + 1) % threads * Bytes;
  for (int i = 0; i < Bytes; ++i) {
    out[next + static_cast<unsigned>(i)] = tile[next + static_cast<unsigned>(i)];
  }
}

// Three stages in flight, each its own group; every stage is read by the thread that did not copy
// it.
__global__ void pipeline_kernel(int const* in, int* out, int steps)
{
  constexpr int stages = 3;
  int* const ring      = dwconv::dynamic_shared_memory<int>();
  int const lane       = static_cast<int>(threadIdx.x);
  int const width      = static_cast<int>(threads);
  auto const fetch     = [&](int step) {
    if (step < steps) {
      dwconv::async_copy<4>(ring + step % stages * width + lane, in + step * width + lane);
    }
    dwconv::async_commit();
  };
  for (int step = 0; step < stages - 1; ++step) { fetch(step); }
  for (int step = 0; step < steps; ++step) {
    dwconv::async_wait<stages - 2>();
    dwconv::block_sync();  // this step has landed for all, and the stage fetched next was read by
                           // all
    fetch(step + stages - 1);
    out[step * width + lane] = ring[step % stages * width + (lane + 1) % width];
  }
}

template <int Bytes>
void check_zero_fill()
{
  std::vector<unsigned char> values(threads * Bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<unsigned char>(i % 251 + 1);
  }
  device_buffer<unsigned char> in{values}, out{values.size(), poison{}};
  REQUIRE(dwconv::launch(&zero_fill_kernel<Bytes>,
                         {.grid = 1, .block = threads, .shared_bytes = threads * Bytes},
                         test_stream(), in.data(), out.data()) == cudaSuccess);
  REQUIRE(synchronize() == cudaSuccess);
  auto const found = out.read();
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(Bytes, i);
    bool const valid = i % Bytes < i / Bytes % (Bytes + 1);
    CHECK(found[i] == (valid ? values[i] : 0));
  }
}

}  // namespace

TEST_CASE("an async copy fills what is not valid with zeros", "[device][async_copy]")
{
  under_every_schedule([] {
    check_zero_fill<4>();
    check_zero_fill<8>();
    check_zero_fill<16>();
  });
}

TEST_CASE("async copies run groups ahead of their readers", "[device][async_copy]")
{
  under_every_schedule([] {
    constexpr int steps = 11;
    std::vector<int> values(steps * threads);
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<int>(7 * i + 1); }
    device_buffer<int> in{values}, out{values.size(), poison{}};
    REQUIRE(dwconv::launch(&pipeline_kernel,
                           {.grid = 2, .block = threads, .shared_bytes = 3 * threads * 4},
                           test_stream(), in.data(), out.data(), steps) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = out.read();
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      CHECK(found[i] == values[i / threads * threads + (i % threads + 1) % threads]);
    }
  });
}
