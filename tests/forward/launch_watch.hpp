// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
/// A GPU does not count launches; there, outputs left untouched have to do.
struct launch_watch {
  [[nodiscard]] static bool saw_none() { return true; }
};
#else
#include "engine.hpp"

/// Watches for launches since it was made.
class launch_watch {
 public:
  [[nodiscard]] bool saw_none() const { return emulation::launches() == before_; }

 private:
  std::uint64_t before_ = emulation::launches();
};
#endif
