// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/problem/byte_range.hpp>
#include <dwconv/problem/descriptor.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// Device pointers of one forward call; dense tensors in the problem's layout.
template <typename T>
struct forward_tensors {
  T const* x      = nullptr;  ///< [N,C,H,W], or [N,H,W,C] for layout::nhwc.
  T const* filter = nullptr;  ///< [C*M,KH,KW] in both layouts (PyTorch's [C*M,1,KH,KW]).
  T* y            = nullptr;  ///< [N,C*M,OH,OW], or [N,OH,OW,C*M]; overlaps nothing else.
};

/// Elements of x. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t input_elements(
  conv2d_problem const& problem) noexcept
{
  return problem.batch * problem.channels * problem.input.height * problem.input.width;
}

/// Elements of the filter tensor. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t filter_elements(
  conv2d_problem const& problem) noexcept
{
  return problem.output_channels() * problem.filter.height * problem.filter.width;
}

/// Elements of y. The problem must be valid.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr std::int64_t output_elements(
  conv2d_problem const& problem) noexcept
{
  extent2 const out = output_extent(problem);
  return problem.batch * problem.output_channels() * out.height * out.width;
}

/// Bytes of y, which a forward call writes. The problem must be valid.
template <typename T>
[[nodiscard]] byte_range output_bytes(conv2d_problem const& problem,
                                      forward_tensors<T> const& tensors) noexcept
{
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  return {"y", reinterpret_cast<std::uintptr_t>(tensors.y), output_elements(problem) * size, size};
}

/// Pointers are set, aligned to their elements, and y overlaps neither x nor the filter. The
/// problem must be valid.
template <typename T>
[[nodiscard]] status validate(conv2d_problem const& problem,
                              forward_tensors<T> const& tensors) noexcept
{
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  byte_range const y  = output_bytes(problem, tensors);
  byte_range const x{"x", reinterpret_cast<std::uintptr_t>(tensors.x),
                     input_elements(problem) * size, size};
  byte_range const filter{"filter", reinterpret_cast<std::uintptr_t>(tensors.filter),
                          filter_elements(problem) * size, size};
  if (status const s = check_pointer(y); !s.ok()) { return s; }
  if (status const s = check_read(x, y); !s.ok()) { return s; }
  return check_read(filter, y);
}

}  // namespace dwconv
