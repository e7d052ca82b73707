// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>
#include <vector>

#include <dwconv/core/element.cuh>
#include <dwconv/device/launch.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

template <typename T>
__global__ void shuffle_kernel(T const* in, T* out)
{
  int const lane  = dwconv::lane_index();
  T const mine    = in[lane];
  out[lane]       = dwconv::shuffle(mine, 31 - lane);
  out[32 + lane]  = dwconv::shuffle_down(mine, 3);
  out[64 + lane]  = dwconv::shuffle_xor(mine, 5);
  out[96 + lane]  = dwconv::shuffle(mine, 7);
  out[128 + lane] = dwconv::shuffle(mine, lane + 33);
}

__global__ void index_kernel(int* lanes, int* warps)
{
  lanes[threadIdx.x] = dwconv::lane_index();
  warps[threadIdx.x] = dwconv::warp_index();
}

__global__ void one_lane_kernel(int* marks)
{
  marks[threadIdx.x] = dwconv::one_lane() ? 1 : 0;
}

// Lanes hand sums down the warp, warps through shared memory.
__global__ void block_sum_kernel(float const* in, float* out)
{
  float* const sums = dwconv::dynamic_shared_memory<float>();
  float sum         = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += dwconv::shuffle_down(sum, distance);
  }
  if (dwconv::lane_index() == 0) { sums[dwconv::warp_index()] = sum; }
  dwconv::block_sync();
  if (threadIdx.x == 0) {
    float total = 0;
    for (unsigned w = 0; w < blockDim.x / 32; ++w) { total += sums[w]; }
    out[blockIdx.x] = total;
  }
}

__global__ void warp_transpose_kernel(int const* in, int* out)
{
  int* const tile = dwconv::dynamic_shared_memory<int>() + 32 * dwconv::warp_index();
  int const lane  = dwconv::lane_index();
  for (int step = 0; step < 4; ++step) {
    tile[lane] = in[threadIdx.x] + step;
    dwconv::warp_sync();
    out[static_cast<int>(blockDim.x) * step + static_cast<int>(threadIdx.x)] = tile[31 - lane];
    dwconv::warp_sync();
  }
}

template <typename T>
[[nodiscard]] std::vector<T> distinct_values()
{
  std::vector<T> values;
  for (int i = 0; i < 32; ++i) {
    values.push_back(static_cast<T>(static_cast<float>(i * i - 100)));
  }
  return values;
}

}  // namespace

TEMPLATE_TEST_CASE("shuffles carry every bit of 2, 4 and 8 byte values", "[device][warp]", float,
                   double, int, long long, __half, __nv_bfloat16)
{
  under_every_schedule([] {
    auto const values = distinct_values<TestType>();
    device_buffer<TestType> in{values}, out{160, poison{}};
    REQUIRE(dwconv::launch(&shuffle_kernel<TestType>, {.grid = 1, .block = 32}, test_stream(),
                           in.data(), out.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = out.read();
    for (std::size_t lane = 0; lane < 32; ++lane) {
      CAPTURE(lane);
      auto const same = [&](std::size_t at, std::size_t from) {
        return std::memcmp(&found[at + lane], &values[from], sizeof(TestType)) == 0;
      };
      CHECK(same(0, 31 - lane));
      CHECK(same(32, lane + 3 < 32 ? lane + 3 : lane));
      CHECK(same(64, lane ^ 5));
      CHECK(same(96, 7));
      CHECK(same(128, (lane + 33) % 32));
    }
    CHECK(out.canaries_intact());
  });
}

TEST_CASE("lanes and warps are numbered along a one-dimensional block", "[device][warp]")
{
  device_buffer<int> lanes{96, poison{}}, warps{96, poison{}};
  REQUIRE(dwconv::launch(&index_kernel, {.grid = 1, .block = 96}, test_stream(), lanes.data(),
                         warps.data()) == cudaSuccess);
  REQUIRE(synchronize() == cudaSuccess);
  for (std::size_t i = 0; i < 96; ++i) {
    CHECK(lanes.read()[i] == static_cast<int>(i % 32));
    CHECK(warps.read()[i] == static_cast<int>(i / 32));
  }
}

TEST_CASE("one lane of each warp is told to be the one", "[device][warp]")
{
  device_buffer<int> marks{96, poison{}};
  REQUIRE(dwconv::launch(&one_lane_kernel, {.grid = 1, .block = 96}, test_stream(), marks.data()) ==
          cudaSuccess);
  REQUIRE(synchronize() == cudaSuccess);
  auto const found = marks.read();
  for (std::size_t warp = 0; warp < 3; ++warp) {
    int told = 0;
    for (std::size_t lane = 0; lane < 32; ++lane) { told += found[32 * warp + lane]; }
    CHECK(told == 1);
  }
}

TEST_CASE("a block sums through shuffles and shared memory", "[device][warp]")
{
  under_every_schedule([] {
    constexpr unsigned threads = 256, blocks = 5;
    std::vector<float> values(threads * blocks);
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<float>(i % 17); }
    device_buffer<float> in{values}, out{blocks, poison{}};
    REQUIRE(dwconv::launch(&block_sum_kernel,
                           {.grid = blocks, .block = threads, .shared_bytes = 32}, test_stream(),
                           in.data(), out.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = out.read();
    for (std::size_t block = 0; block < blocks; ++block) {
      float sum = 0;
      for (std::size_t i = 0; i < threads; ++i) { sum += values[block * threads + i]; }
      CHECK(found[block] == sum);
    }
  });
}

TEST_CASE("warp_sync orders shared memory within a warp", "[device][warp]")
{
  under_every_schedule([] {
    std::vector<int> values(64);
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<int>(10 * i); }
    device_buffer<int> in{values}, out{256, poison{}};
    REQUIRE(dwconv::launch(&warp_transpose_kernel, {.grid = 1, .block = 64, .shared_bytes = 256},
                           test_stream(), in.data(), out.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = out.read();
    for (std::size_t i = 0; i < 256; ++i) {
      std::size_t const thread = i % 64, from = thread / 32 * 32 + 31 - thread % 32;
      CHECK(found[i] == values[from] + static_cast<int>(i / 64));
    }
  });
}
