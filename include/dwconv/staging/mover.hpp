// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// How a tile moves between memory and shared memory.
enum class mover : std::uint8_t {
  vectors,  ///< Through registers, 16 bytes at a time; sm_75 and newer.
  async,    ///< In by 16-byte asynchronous copies, out as `vectors`; sm_80 and newer.
  bulk,     ///< In and out by the copy engine, a run at a time; sm_90 and newer.
};

[[nodiscard]] constexpr char const* name_of(mover how) noexcept
{
  switch (how) {
    case mover::vectors: return "vectors";
    case mover::async: return "async";
    case mover::bulk: return "bulk";
  }
  return "unknown mover";
}

/// The fastest mover of an architecture, by ten times major plus minor.
[[nodiscard]] constexpr mover best_mover(int compute_capability) noexcept
{
  return compute_capability >= 90 ? mover::bulk : compute_capability >= 80 ? mover::async : mover::vectors;
}

}  // namespace dwconv
