// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// Device pointers of one backward_data call; dense tensors in the problem's layout.
template <typename T>
struct backward_data_tensors {
  T const* dy     = nullptr;  ///< [N,C*M,OH,OW], or [N,OH,OW,C*M] for layout::nhwc.
  T const* filter = nullptr;  ///< [C*M,KH,KW] in both layouts.
  T* dx           = nullptr;  ///< [N,C,H,W], or [N,H,W,C]; overlaps nothing else.
};

/// Device pointers of one backward_filter call.
///
/// @tparam Gradient Element type of dfilter: T or float.
template <typename T, typename Gradient = T>
struct backward_filter_tensors {
  T const* x        = nullptr;  ///< [N,C,H,W], or [N,H,W,C] for layout::nhwc.
  T const* dy       = nullptr;  ///< [N,C*M,OH,OW], or [N,OH,OW,C*M].
  Gradient* dfilter = nullptr;  ///< [C*M,KH,KW] in both layouts; overlaps nothing else.
};

/// Device pointers of one backward_bias call.
///
/// @tparam Gradient Element type of dbias: T or float.
template <typename T, typename Gradient = T>
struct backward_bias_tensors {
  T const* dy     = nullptr;  ///< [N,C*M,OH,OW], or [N,OH,OW,C*M] for layout::nhwc.
  Gradient* dbias = nullptr;  ///< [C*M]; overlaps nothing else.
};

/// Device memory that a call may write what it likes to; what it held before does not matter.
struct workspace {
  void* data         = nullptr;  ///< Aligned to the type of sums: 8 bytes for double, else 4.
  std::int64_t bytes = 0;        ///< At least `workspace_bytes` of the plan; more is not touched.
};

/// What becomes of a gradient's former values.
enum class update : std::uint8_t {
  overwrite,   ///< They are not read.
  accumulate,  ///< The new gradient is added to them, in the type of sums, and rounded once.
};

namespace tensor_check {

template <typename T>
[[nodiscard]] byte_range range_of(char const* name, T const* begin, std::int64_t elements) noexcept
{
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  return {name, reinterpret_cast<std::uintptr_t>(begin), elements * size, size};
}

/// The part of a workspace that a call needs, if any: large enough, fit for sums, and apart from
/// what else the call touches.
[[nodiscard]] inline status check_workspace(workspace const& given, std::int64_t needed,
                                            std::int64_t sum_bytes, byte_range const& gradient,
                                            byte_range const& read) noexcept
{
  if (given.bytes < needed) {
    return {.code     = status_code::too_small,
            .argument = "workspace.bytes",
            .value    = given.bytes,
            .limit    = needed};
  }
  if (needed == 0) { return {}; }
  byte_range const used{"workspace", reinterpret_cast<std::uintptr_t>(given.data), needed,
                        sum_bytes};
  if (status const s = check_read(used, gradient); !s.ok()) { return s; }
  return check_read(used, read);
}

[[nodiscard]] constexpr status check_update(update how) noexcept
{
  if (how == update::overwrite || how == update::accumulate) { return {}; }
  return {.code     = status_code::unknown_value,
          .argument = "update",
          .value    = static_cast<std::int64_t>(how),
          .limit    = static_cast<std::int64_t>(update::accumulate)};
}

}  // namespace tensor_check

/// Pointers are set, aligned to their elements, and dx overlaps neither dy nor the filter. The
/// problem must be valid.
template <typename T>
[[nodiscard]] status validate(conv2d_problem const& problem,
                              backward_data_tensors<T> const& tensors) noexcept
{
  using tensor_check::range_of;
  byte_range const dx = range_of("dx", tensors.dx, input_elements(problem));
  if (status const s = check_pointer(dx); !s.ok()) { return s; }
  if (status const s = check_read(range_of("dy", tensors.dy, output_elements(problem)), dx);
      !s.ok()) {
    return s;
  }
  return check_read(range_of("filter", tensors.filter, filter_elements(problem)), dx);
}

/// Pointers are set and aligned; dfilter and the workspace, which holds at least `needed` bytes,
/// overlap nothing. x and dy are not looked at for batch 0. The problem must be valid.
template <typename T, typename Gradient>
[[nodiscard]] status validate(conv2d_problem const& problem,
                              backward_filter_tensors<T, Gradient> const& tensors,
                              workspace const& given, std::int64_t needed,
                              std::int64_t sum_bytes) noexcept
{
  using namespace tensor_check;
  byte_range const dfilter = range_of("dfilter", tensors.dfilter, filter_elements(problem));
  byte_range const x       = range_of("x", tensors.x, input_elements(problem));
  byte_range const dy      = range_of("dy", tensors.dy, output_elements(problem));
  if (status const s = check_pointer(dfilter); !s.ok()) { return s; }
  if (problem.batch == 0) { return {}; }
  if (status const s = check_read(x, dfilter); !s.ok()) { return s; }
  if (status const s = check_read(dy, dfilter); !s.ok()) { return s; }
  if (status const s = check_workspace(given, needed, sum_bytes, dfilter, x); !s.ok()) { return s; }
  return check_workspace(given, needed, sum_bytes, dfilter, dy);
}

/// Pointers are set and aligned; dbias and the workspace, which holds at least `needed` bytes,
/// overlap nothing. dy is not looked at for batch 0. The problem must be valid.
template <typename T, typename Gradient>
[[nodiscard]] status validate(conv2d_problem const& problem,
                              backward_bias_tensors<T, Gradient> const& tensors,
                              workspace const& given, std::int64_t needed,
                              std::int64_t sum_bytes) noexcept
{
  using namespace tensor_check;
  byte_range const dbias = range_of("dbias", tensors.dbias, problem.output_channels());
  byte_range const dy    = range_of("dy", tensors.dy, output_elements(problem));
  if (status const s = check_pointer(dbias); !s.ok()) { return s; }
  if (problem.batch == 0) { return {}; }
  if (status const s = check_read(dy, dbias); !s.ok()) { return s; }
  return check_workspace(given, needed, sum_bytes, dbias, dy);
}

}  // namespace dwconv
