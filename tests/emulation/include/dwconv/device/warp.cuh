// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <type_traits>

#include <dwconv/core/config.hpp>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

inline constexpr int warp_lanes = 32;

[[nodiscard]] inline int lane_index()
{
  return static_cast<int>(dwconv_emulation::linear_thread) % warp_lanes;
}

[[nodiscard]] inline int warp_index()
{
  return static_cast<int>(dwconv_emulation::linear_thread) / warp_lanes;
}

inline void warp_sync()
{
  dwconv_emulation::warp_barrier();
}
inline void block_sync()
{
  dwconv_emulation::block_barrier();
}

[[nodiscard]] inline bool one_lane()
{
  dwconv_emulation::warp_barrier();
  return lane_index() == 0;
}

template <typename T>
concept shuffled_value = std::is_trivially_copyable_v<T> &&
  (sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);

template <shuffled_value T>
[[nodiscard]] inline T shuffle(T value, int lane)
{
  auto const* const slots = dwconv_emulation::warp_exchange("shuffle", &value, sizeof value);
  T taken;
  std::memcpy(static_cast<void*>(&taken),
              slots[static_cast<unsigned>(lane) % dwconv_emulation::warp_size].bytes, sizeof taken);
  return taken;
}

template <shuffled_value T>
[[nodiscard]] inline T shuffle_down(T value, int distance)
{
  int const from = lane_index() + distance;
  return shuffle(value, from < warp_lanes ? from : lane_index());
}

template <shuffled_value T>
[[nodiscard]] inline T shuffle_xor(T value, int mask)
{
  return shuffle(value, lane_index() ^ mask);
}

[[nodiscard]] inline unsigned warp_sum(unsigned value)
{
  for (int mask = warp_lanes / 2; mask > 0; mask /= 2) { value += shuffle_xor(value, mask); }
  return value;
}

DWCONV_ABI_NAMESPACE_END
