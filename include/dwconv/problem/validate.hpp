// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/checked.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// Largest extent, stride, dilation or padding along one axis: 2^40 elements.
///
/// Far past any memory, and small enough that sums and products along one axis stay within 64 bits.
inline constexpr std::int64_t axis_limit = std::int64_t{1} << 40;

/// Most taps along one filter axis: 2^20, so that tap times dilation stays within 64 bits.
inline constexpr std::int64_t taps_limit = std::int64_t{1} << 20;

namespace problem_check {

/// A count with the name a message calls it by.
struct bounded {
  char const* name;
  std::int64_t value;
  std::int64_t least;
  std::int64_t most;
};

[[nodiscard]] DWCONV_HOST_DEVICE constexpr status within(bounded const& count) noexcept
{
  if (count.value < count.least) {
    return {.code     = status_code::too_small,
            .argument = count.name,
            .value    = count.value,
            .limit    = count.least};
  }
  if (count.value > count.most) {
    return {.code     = status_code::too_large,
            .argument = count.name,
            .value    = count.value,
            .limit    = count.most};
  }
  return {};
}

[[nodiscard]] DWCONV_HOST_DEVICE constexpr status all_within_range(conv2d_problem const& p) noexcept
{
  constexpr std::int64_t most = axis_limit;
  bounded const counts[]      = {
         {"batch", p.batch, 0, most},
         {"channels", p.channels, 1, most},
         {"multiplier", p.multiplier, 1, most},
         {"input.height", p.input.height, 1, most},
         {"input.width", p.input.width, 1, most},
         {"filter.height", p.filter.height, 1, taps_limit},
         {"filter.width", p.filter.width, 1, taps_limit},
         {"stride.height", p.stride.height, 1, most},
         {"stride.width", p.stride.width, 1, most},
         {"dilation.height", p.dilation.height, 1, most},
         {"dilation.width", p.dilation.width, 1, most},
         {"pad.top", p.pad.top, 0, most},
         {"pad.bottom", p.pad.bottom, 0, most},
         {"pad.left", p.pad.left, 0, most},
         {"pad.right", p.pad.right, 0, most},
  };
  for (bounded const& count : counts) {
    if (status const s = within(count); !s.ok()) { return s; }
  }
  if (p.data_layout != layout::nchw && p.data_layout != layout::nhwc) {
    return {.code     = status_code::unknown_value,
            .argument = "data_layout",
            .value    = static_cast<std::int64_t>(p.data_layout),
            .limit    = static_cast<std::int64_t>(layout::nhwc)};
  }
  return {};
}

[[nodiscard]] DWCONV_HOST_DEVICE constexpr status filter_fits(conv2d_problem const& p) noexcept
{
  extent2 const span = filter_span(p);
  extent2 const room = padded_input(p);
  if (span.height > room.height) {
    return {.code     = status_code::filter_exceeds_input,
            .argument = "filter.height",
            .value    = span.height,
            .limit    = room.height};
  }
  if (span.width > room.width) {
    return {.code     = status_code::filter_exceeds_input,
            .argument = "filter.width",
            .value    = span.width,
            .limit    = room.width};
  }
  return {};
}

[[nodiscard]] DWCONV_HOST_DEVICE constexpr status tensors_countable(
  conv2d_problem const& p) noexcept
{
  extent2 const out         = output_extent(p);
  std::int64_t const filled = checked_product(p.channels, p.multiplier);
  struct {
    char const* name;
    std::int64_t elements;
  } const tensors[] = {
    {"number of elements of x",
     checked_product(p.batch, p.channels, p.input.height, p.input.width)},
    {"number of elements of filter", checked_product(filled, p.filter.height, p.filter.width)},
    {"number of elements of y", checked_product(p.batch, filled, out.height, out.width)},
  };
  // Counted for the widest dtype, so that what is valid does not depend on the element type; a
  // quarter of that, so that the bytes of all tensors together still fit.
  constexpr std::int64_t most = INT64_MAX / (4 * size_in_bytes(dtype::float64));
  for (auto const& tensor : tensors) {
    if (tensor.elements < 0 || tensor.elements > most) {
      return {.code     = status_code::overflow,
              .argument = tensor.name,
              .value    = tensor.elements,
              .limit    = most};
    }
  }
  return {};
}

}  // namespace problem_check

/// Says whether `problem` describes a convolution, and if not, which argument is wrong, its value
/// and the limit.
///
/// Checks in this order: every count within its range, the dilated filter within the padded input
/// along each axis, every tensor countable in 64-bit bytes.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr status validate(conv2d_problem const& problem) noexcept
{
  if (status const s = problem_check::all_within_range(problem); !s.ok()) { return s; }
  if (status const s = problem_check::filter_fits(problem); !s.ok()) { return s; }
  return problem_check::tensors_countable(problem);
}

}  // namespace dwconv
