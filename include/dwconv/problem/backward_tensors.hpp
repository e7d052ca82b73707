// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/problem/gradient_tensors.hpp>

namespace dwconv {

/// Which gradients a call computes.
struct gradients {
  bool dx      = false;
  bool dfilter = false;
  bool dbias   = false;

  [[nodiscard]] constexpr bool any() const noexcept { return dx || dfilter || dbias; }
  friend constexpr bool operator==(gradients const&, gradients const&) = default;
};

/// Device pointers of one call for several gradients. Those that are not wanted, and what only they
/// read, stay null.
///
/// @tparam Gradient Element type of dfilter and dbias: T or float.
template <typename T, typename Gradient = T>
struct backward_tensors {
  T const* x        = nullptr;  ///< [N,C,H,W], or [N,H,W,C] for layout::nhwc; for dfilter.
  T const* dy       = nullptr;  ///< [N,C*M,OH,OW], or [N,OH,OW,C*M]; for all three.
  T const* filter   = nullptr;  ///< [C*M,KH,KW] in both layouts; for dx.
  T* dx             = nullptr;  ///< As x.
  Gradient* dfilter = nullptr;  ///< As filter.
  Gradient* dbias   = nullptr;  ///< [C*M].

  /// Those whose pointers are set.
  [[nodiscard]] constexpr gradients wanted() const noexcept
  {
    return {dx != nullptr, dfilter != nullptr, dbias != nullptr};
  }
  [[nodiscard]] constexpr backward_data_tensors<T> of_data() const noexcept
  {
    return {dy, filter, dx};
  }
  [[nodiscard]] constexpr backward_filter_tensors<T, Gradient> of_filter() const noexcept
  {
    return {x, dy, dfilter};
  }
  [[nodiscard]] constexpr backward_bias_tensors<T, Gradient> of_bias() const noexcept
  {
    return {dy, dbias};
  }
};

/// No gradient that is wanted overlaps another, the workspace, or what the others read: what each
/// of them needs by itself is checked elsewhere. The problem must be valid.
template <typename T, typename Gradient>
[[nodiscard]] status validate_apart(conv2d_problem const& problem, gradients const& wanted,
                                    backward_tensors<T, Gradient> const& tensors,
                                    workspace const& given, std::int64_t needed) noexcept
{
  using tensor_check::range_of;
  byte_range const dx = range_of("dx", tensors.dx, wanted.dx ? input_elements(problem) : 0);
  byte_range const dfilter =
    range_of("dfilter", tensors.dfilter, wanted.dfilter ? filter_elements(problem) : 0);
  byte_range const dbias =
    range_of("dbias", tensors.dbias, wanted.dbias ? problem.output_channels() : 0);
  byte_range const x = range_of("x", tensors.x, wanted.dfilter ? input_elements(problem) : 0);
  byte_range const filter =
    range_of("filter", tensors.filter, wanted.dx ? filter_elements(problem) : 0);
  byte_range const used{"workspace", reinterpret_cast<std::uintptr_t>(given.data), needed, 1};
  struct {
    byte_range const& read;
    byte_range const& written;
  } const pairs[] = {{x, dx},         {filter, dfilter}, {filter, dbias},  {x, dbias},
                     {dfilter, dx},   {dbias, dx},       {dbias, dfilter}, {used, dx},
                     {used, dfilter}, {used, dbias},     {filter, used}};
  for (auto const& pair : pairs) {
    if (std::int64_t const common = shared_bytes(pair.read, pair.written); common > 0) {
      return {.code     = status_code::overlapping_tensors,
              .argument = pair.read.name,
              .value    = common,
              .limit    = 0};
    }
  }
  return {};
}

}  // namespace dwconv
