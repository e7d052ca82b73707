// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include <dwconv/device/launch.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

// One thread at a time runs, so a plain counter says who came when.
template <bool Barrier>
__global__ void arrival_kernel(int* next, int* order)
{
  if (Barrier) { dwconv::block_sync(); }
  order[(*next)++] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

template <bool Barrier>
[[nodiscard]] std::vector<int> arrivals(emulation::schedule plan, unsigned blocks = 3,
                                        unsigned threads = 80)
{
  emulation::set_schedule(plan);
  device_buffer<int> next{std::vector<int>{0}}, order{blocks * threads, poison{}};
  REQUIRE(dwconv::launch(&arrival_kernel<Barrier>, {.grid = blocks, .block = threads},
                         test_stream(), next.data(), order.data()) == cudaSuccess);
  emulation::set_schedule({});
  return order.read();
}

[[nodiscard]] std::vector<int> ascending(std::size_t count)
{
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("threads run forward or in reverse, also after a barrier",
                       "[emulation][schedule]", ((bool Barrier), Barrier), false, true)
{
  auto expected = ascending(240);
  CHECK(arrivals<Barrier>({.threads = emulation::order::forward}) == expected);
  std::reverse(expected.begin(), expected.end());
  CHECK(arrivals<Barrier>({.threads = emulation::order::reverse}) == expected);
}

TEMPLATE_TEST_CASE_SIG("a shuffled order visits everyone and depends on the seed alone",
                       "[emulation][schedule]", ((bool Barrier), Barrier), false, true)
{
  std::set<std::vector<int>> seen;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    emulation::schedule const plan{.threads = emulation::order::shuffled, .seed = seed};
    auto order = arrivals<Barrier>(plan);
    CHECK(order == arrivals<Barrier>(plan));
    seen.insert(order);
    std::sort(order.begin(), order.end());
    CHECK(order == ascending(240));
  }
  CHECK(seen.size() == 8);
}

TEST_CASE("a shuffled order shuffles blocks, warps and lanes", "[emulation][schedule]")
{
  bool blocks_moved = false, warps_moved = false, lanes_moved = false;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    auto const order =
      arrivals<false>({.threads = emulation::order::shuffled, .seed = seed}, 7, 96);
    blocks_moved = blocks_moved || order[0] / 96 != 0;
    warps_moved  = warps_moved || order[0] % 96 / 32 != 0;
    lanes_moved  = lanes_moved || order[0] % 32 != 0;
  }
  CHECK(blocks_moved);
  CHECK(warps_moved);
  CHECK(lanes_moved);
}

TEST_CASE("every schedule differs from every other", "[emulation][schedule]")
{
  auto const& all = emulation::every_schedule;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) { CHECK_FALSE(all[i] == all[j]); }
  }
}
