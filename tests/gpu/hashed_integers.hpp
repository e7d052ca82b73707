// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include <cuda_fp16.h>

#include "device_memory.hpp"
#include "forward/inputs.hpp"

// Tensors too large for the host: each element is a function of its index, and elements are
// sampled.

inline constexpr std::int64_t two_to_31 = std::int64_t{1} << 31;

/// -3 to 3, from an element's index.
__host__ __device__ inline int integer_at(std::int64_t index)
{
  auto z = static_cast<std::uint64_t>(index) * 0x9E3779B97F4A7C15u;
  z      = (z ^ (z >> 32)) * 0xBF58476D1CE4E5B9u;
  return static_cast<int>((z >> 40) % 7) - 3;
}

static __global__ void fill_kernel(__half* values, std::int64_t elements, std::int64_t shift = 0)
{
  std::int64_t const step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < elements;
       i += step) {
    values[i] = __int2half_rn(integer_at(i + shift));
  }
}

static __global__ void sample_kernel(__half const* values, std::int64_t const* places,
                                     float* samples, int count)
{
  int const i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) { samples[i] = __half2float(values[places[i]]); }
}

/// Elements all over a tensor: both ends, both sides of 2^31, and at random.
inline std::vector<std::int64_t> sampled_places(std::int64_t elements)
{
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < 2000; ++i) {
    for (std::int64_t const place : {i, elements - 1 - i, two_to_31 - 1000 + i}) {
      if (place >= 0 && place < elements) { places.push_back(place); }
    }
  }
  dice random{91};
  while (places.size() < 100'000) { places.push_back(random.between(0, elements - 1)); }
  return places;
}

inline std::vector<float> sampled(device_memory<__half>& y, std::vector<std::int64_t> const& places)
{
  auto const count = static_cast<int>(places.size());
  device_buffer<std::int64_t> at{places};
  device_buffer<float> samples{places.size(), poison{}};
  sample_kernel<<<(count + 255) / 256, 256, 0, test_stream()>>>(y.data(), at.data(), samples.data(),
                                                                count);
  require_cuda(synchronize(), "sample_kernel");
  return samples.read();
}
