// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// How a tile moves between memory and shared memory.
enum class mover : std::uint8_t {
  newest,   ///< The last of the others that the architecture compiled for has.
  vectors,  ///< Through registers, 16 bytes at a time; sm_75 and newer.
  async,    ///< In by 16-byte asynchronous copies, out as `vectors`; sm_80 and newer.
  bulk,     ///< In and out by the copy engine, a run at a time; sm_90 and newer.
};

/// The name of a mover in messages.
[[nodiscard]] constexpr char const* name_of(mover how) noexcept
{
  switch (how) {
    case mover::newest: return "newest";
    case mover::vectors: return "vectors";
    case mover::async: return "async";
    case mover::bulk: return "bulk";
  }
  return "unknown mover";
}

/// What `newest` stands for on an architecture, given as ten times major plus minor.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr mover mover_for(int compute_capability) noexcept
{
  return compute_capability >= 90   ? mover::bulk
         : compute_capability >= 80 ? mover::async
                                    : mover::vectors;
}

}  // namespace dwconv
