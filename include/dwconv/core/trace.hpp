// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

#if defined(DWCONV_ENABLE_NVTX)
#include <nvtx3/nvToolsExt.h>
#endif

namespace dwconv {

/// Names a stretch of host code in a profiler's timeline while it lives; nothing unless
/// DWCONV_ENABLE_NVTX is defined.
#if defined(DWCONV_ENABLE_NVTX)
class trace_range {
 public:
  explicit trace_range(char const* name) { nvtxRangePushA(name); }
  ~trace_range() { nvtxRangePop(); }
  trace_range(trace_range const&)            = delete;
  trace_range& operator=(trace_range const&) = delete;
};
#else
struct trace_range {
  explicit constexpr trace_range(char const*) noexcept {}
};
#endif

}  // namespace dwconv
