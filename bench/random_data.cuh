// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/launch.cuh>

#include "cuda_check.hpp"

namespace dwconv_bench {

/// Number `index` of an endless random sequence, in [-1, 1): the same on device and host, so a
/// check knows the inputs without copying them. SplitMix64 of a counter (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014); every step but the mixing is exact.
[[nodiscard]] DWCONV_HOST_DEVICE inline double random_value(std::uint64_t sequence,
                                                            std::int64_t index)
{
  std::uint64_t bits = (sequence << 56) + static_cast<std::uint64_t>(index) * 0x9e3779b97f4a7c15u;
  bits               = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits               = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  bits ^= bits >> 31;
  constexpr double unit = 1.0 / (std::int64_t{1} << 52);
  return static_cast<double>(bits >> 11) * unit - 1.0;
}

/// The same, rounded to an element.
template <dwconv::element T>
[[nodiscard]] DWCONV_HOST_DEVICE inline T random_element(std::uint64_t sequence, std::int64_t index)
{
  return dwconv::from_sum<T>(static_cast<dwconv::sum_of<T>>(random_value(sequence, index)));
}

inline constexpr int fill_threads = 256;

template <dwconv::element T>
__global__ void __launch_bounds__(fill_threads)
  fill_random_kernel(T* data, std::int64_t count, std::uint64_t sequence)
{
  std::int64_t const step = std::int64_t{gridDim.x} * fill_threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * fill_threads + threadIdx.x; i < count;
       i += step) {
    data[i] = random_element<T>(sequence, i);
  }
}

/// Enqueues filling `data` with the first `count` elements of a sequence.
template <dwconv::element T>
void fill_random(T* data, std::int64_t count, std::uint64_t sequence, cudaStream_t stream)
{
  constexpr std::int64_t most_blocks = 4096;
  std::int64_t const blocks =
    std::clamp<std::int64_t>((count + fill_threads - 1) / fill_threads, 1, most_blocks);
  check(dwconv::launch(&fill_random_kernel<T>,
                       {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(fill_threads)},
                       stream, data, count, sequence),
        "launch of fill_random_kernel");
}

}  // namespace dwconv_bench
