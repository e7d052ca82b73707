// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Threads of a warp.
inline constexpr int warp_lanes = 32;

/// This thread's lane; the block is one-dimensional.
[[nodiscard]] __device__ inline int lane_index()
{
  return static_cast<int>(threadIdx.x) % warp_lanes;
}

/// This thread's warp within the block; the block is one-dimensional.
[[nodiscard]] __device__ inline int warp_index()
{
  return static_cast<int>(threadIdx.x) / warp_lanes;
}

/// Waits for the warp's 32 lanes; what each wrote before, all may read after.
__device__ inline void warp_sync()
{
  __syncwarp();
}

/// Waits for every thread of the block; what each wrote before, all may read after.
__device__ inline void block_sync()
{
  __syncthreads();
}

/// True in one lane of the warp, all 32 of which call it. The compiler knows that there is only
/// one: what that lane starts with operands that are the same for the warp takes an instruction,
/// where for any number of lanes it takes a loop over them. On sm_90 and newer; elsewhere lane 0.
[[nodiscard]] __device__ inline bool one_lane()
{
#if __CUDA_ARCH__ >= 900
  unsigned elected;
  asm volatile(
    "{\n\t"
    ".reg .pred me;\n\t"
    "elect.sync _|me, 0xffffffff;\n\t"
    "selp.u32 %0, 1, 0, me;\n\t"
    "}"
    : "=r"(elected));
  return elected != 0;
#else
  return lane_index() == 0;
#endif
}

/// What a shuffle can carry: 2, 4 or 8 plain bytes.
template <typename T>
concept shuffled_value = std::is_trivially_copyable_v<T> &&
  (sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);

/// The unsigned integer that carries a T through a shuffle.
template <shuffled_value T>
using shuffled_word = std::conditional_t<sizeof(T) == 8, unsigned long long, unsigned>;

/// The bits of a value as the word a shuffle moves.
template <shuffled_value T>
[[nodiscard]] __device__ inline shuffled_word<T> to_shuffled_word(T const& value)
{
  shuffled_word<T> word = 0;
  memcpy(&word, &value, sizeof value);
  return word;
}

/// The value whose bits a shuffle moved.
template <shuffled_value T>
[[nodiscard]] __device__ inline T from_shuffled_word(shuffled_word<T> word)
{
  T value;
  memcpy(&value, &word, sizeof value);
  return value;
}

/// `value` of lane `lane`, which is taken modulo 32. All 32 lanes call it, as with the two below.
template <shuffled_value T>
[[nodiscard]] __device__ inline T shuffle(T value, int lane)
{
  return from_shuffled_word<T>(__shfl_sync(0xffffffffu, to_shuffled_word(value), lane));
}

/// `value` of the lane `distance` (0 to 31) further up; the last `distance` lanes keep their own.
template <shuffled_value T>
[[nodiscard]] __device__ inline T shuffle_down(T value, int distance)
{
  return from_shuffled_word<T>(
    __shfl_down_sync(0xffffffffu, to_shuffled_word(value), static_cast<unsigned>(distance)));
}

/// `value` of the lane whose index differs in the bits of `mask` (0 to 31).
template <shuffled_value T>
[[nodiscard]] __device__ inline T shuffle_xor(T value, int mask)
{
  return from_shuffled_word<T>(__shfl_xor_sync(0xffffffffu, to_shuffled_word(value), mask));
}

/// The sum of every lane's `value`, modulo 2^32, in every lane.
[[nodiscard]] __device__ inline unsigned warp_sum(unsigned value)
{
#if __CUDA_ARCH__ >= 800
  return __reduce_add_sync(0xffffffffu, value);
#else
  for (int mask = warp_lanes / 2; mask > 0; mask /= 2) { value += shuffle_xor(value, mask); }
  return value;
#endif
}

DWCONV_ABI_NAMESPACE_END
