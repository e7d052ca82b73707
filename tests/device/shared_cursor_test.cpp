// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <vector>

#include <dwconv/core/element.cuh>
#include <dwconv/device/launch.cuh>
#include <dwconv/device/shared_cursor.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

constexpr int lanes = 32, elements = 4 * lanes;

/// Each lane writes its four elements, from the last to the first, and reads those of the lane
/// after it.
__global__ void cursor_kernel(std::uint32_t* out)
{
  using T            = __half;
  T* const tile      = dwconv::dynamic_shared_memory<T>();
  int const lane     = dwconv::lane_index();
  auto const element = static_cast<std::uint32_t>(4 * lane);
  dwconv::shared_cursor<T> to{tile + 4 * lane};
  to.advance(2);
  to.store_half<1>((element + 3) << 16);
  to.store_half<0>(element + 2);
  to.advance(-2);
  to.store_pair(element | (element + 1) << 16);
  dwconv::warp_sync();
  dwconv::shared_cursor<T> from{tile};
  from.advance(4 * ((lane + 1) % lanes));
  out[2 * lane]     = from.load_pair<0>();
  out[2 * lane + 1] = from.load_pair<2>();
}

}  // namespace

TEST_CASE("shared_cursor reads and writes pairs and halves of pairs, wherever it was moved",
          "[device][shared_cursor]")
{
  device_buffer<std::uint32_t> out{std::vector<std::uint32_t>(2 * lanes)};
  under_every_schedule([&] {
    REQUIRE(dwconv::launch(&cursor_kernel,
                           {.grid = dim3(1), .block = dim3(lanes), .shared_bytes = 2 * elements},
                           test_stream(), out.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const read = out.read();
    for (std::uint32_t i = 0; i < 2 * lanes; ++i) {
      std::uint32_t const first = (2 * i + 4) % elements;
      CHECK(read[i] == (first | (first + 1) << 16));
    }
  });
}
