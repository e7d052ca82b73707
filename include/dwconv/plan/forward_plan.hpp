// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/kernels/any_filter/policy.hpp>
#include <dwconv/kernels/direct/policy.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/plan/family.hpp>
#include <dwconv/problem/descriptor.hpp>

namespace dwconv {

/// A family's kernel, compiled for a filter and a stride; zeros stand for any.
struct compiled_shape {
  kernel_family family;
  extent2 taps;
  extent2 stride;
  /// Of the window family, for any filter: whether it slides as those for one filter do, or is the
  /// kernel named for any.
  bool slides = false;

  [[nodiscard]] constexpr bool takes(conv2d_problem const& problem) const noexcept
  {
    constexpr extent2 any{0, 0};
    return (taps == any || taps == problem.filter) && (stride == any || stride == problem.stride);
  }
  /// Whether the filter's size is read at run time and, in the window family, no window slides.
  [[nodiscard]] constexpr bool any_filter() const noexcept
  {
    return taps == extent2{0, 0} && !slides;
  }

  friend constexpr bool operator==(compiled_shape const&, compiled_shape const&) = default;
};

/// Whether a family takes a problem, and why (not), in words.
struct verdict {
  kernel_family family = kernel_family::direct;
  bool eligible        = false;
  char const* reason   = "";  ///< A string literal.

  friend constexpr bool operator==(verdict const& a, verdict const& b) noexcept
  {
    return a.family == b.family && a.eligible == b.eligible &&
           std::string_view{a.reason} == std::string_view{b.reason};
  }
};

/// How one forward convolution will be computed: plain data, made by `plan_forward`, comparable,
/// printable by `describe`, and good for any number of runs on the same kind of device.
struct forward_plan {
  status outcome{};  ///< Why there is no plan, if there is none; `run` hands it back.
  conv2d_problem problem{};
  dtype element = dtype::float32;
  device_facts device{};
  kernel_family family = kernel_family::direct;
  compiled_shape compiled{};       ///< Which instance of the family.
  direct_policy direct{};          ///< Read when `family` is direct.
  window_policy window{};          ///< Read when `family` is window, and a window slides;
  any_filter_policy any_filter{};  ///< and where none does.
  toeplitz_policy toeplitz{};      ///< Read when `family` is toeplitz.
  std::int64_t blocks = 0;
  int threads         = 0;  ///< Per block.
  int shared_bytes    = 0;  ///< Per block.
  std::array<verdict, kernel_families.size()> verdicts{};

  friend constexpr bool operator==(forward_plan const&, forward_plan const&) = default;
};

/// Whether tensors are of the element type that was planned for.
[[nodiscard]] constexpr status check_dtype(dtype of_tensors, dtype planned) noexcept
{
  if (of_tensors == planned) { return {}; }
  return {.code     = status_code::mismatch,
          .argument = "dtype of the tensors",
          .value    = static_cast<std::int64_t>(of_tensors),
          .limit    = static_cast<std::int64_t>(planned)};
}

}  // namespace dwconv
