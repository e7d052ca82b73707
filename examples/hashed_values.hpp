// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include <dwconv/core/config.hpp>

namespace examples {

/// Element `index` of the random tensor number `seed`, the same on the host and on the device: a
/// tensor too large for the host needs no copy there. A float in [-1, 1), from the last steps of
/// splitmix64.
[[nodiscard]] DWCONV_HOST_DEVICE inline float hashed_value(std::int64_t index, std::uint64_t seed)
{
  std::uint64_t z = (static_cast<std::uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u + (seed << 32);
  z               = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z               = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z               = z ^ (z >> 31);
  return static_cast<float>(z >> 40) * 0x1p-23f - 1.0f;
}

/// The first `count` elements.
[[nodiscard]] inline std::vector<float> hashed_values(std::int64_t count, std::uint64_t seed)
{
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    values[static_cast<std::size_t>(i)] = hashed_value(i, seed);
  }
  return values;
}

}  // namespace examples
