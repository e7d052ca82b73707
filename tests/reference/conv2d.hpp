// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <dwconv/problem/descriptor.hpp>

#include "reference/number.hpp"

/// Depthwise convolution from its definition, in long double on the CPU: what the tests hold to be
/// right. Shares the descriptor with the library and none of its arithmetic.
namespace dwconv_reference {

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::layout;

/// One output: its value, the sum of |x * w| behind it and how many taps fell on the image.
struct sum_at {
  double value       = 0;
  double magnitude   = 0;
  std::int64_t terms = 0;
};

/// Places of a window along one axis: how often it can be set down, a stride apart, without leaving
/// the padded image. A closed form on purpose other than the library's.
[[nodiscard]] inline std::int64_t window_places(std::int64_t padded, std::int64_t taps,
                                                std::int64_t stride, std::int64_t dilation)
{
  std::int64_t const last_tap = (taps - 1) * dilation;
  std::int64_t const starts   = padded - last_tap;  // where tap 0 leaves the last tap inside
  return starts <= 0 ? 0 : (starts + stride - 1) / stride;
}

[[nodiscard]] inline extent2 output_shape(conv2d_problem const& p)
{
  return {window_places(p.pad.top + p.input.height + p.pad.bottom, p.filter.height, p.stride.height,
                        p.dilation.height),
          window_places(p.pad.left + p.input.width + p.pad.right, p.filter.width, p.stride.width,
                        p.dilation.width)};
}

/// Where element (n, c, i, j) of a dense tensor of `channels` planes of `plane` elements lies.
[[nodiscard]] inline std::size_t offset_of(layout order, std::int64_t channels, extent2 plane,
                                           std::int64_t n, std::int64_t c, std::int64_t i,
                                           std::int64_t j)
{
  std::int64_t const offset = order == layout::nchw
                                ? j + plane.width * (i + plane.height * (c + channels * n))
                                : c + channels * (j + plane.width * (i + plane.height * n));
  return static_cast<std::size_t>(offset);
}

/// Offset in y of output (n, k, i, j).
[[nodiscard]] inline std::size_t output_offset(conv2d_problem const& p, std::int64_t n,
                                               std::int64_t k, std::int64_t i, std::int64_t j)
{
  return offset_of(p.data_layout, p.channels * p.multiplier, output_shape(p), n, k, i, j);
}

/// y[n][k][i][j] by the definition, with x and filter read through functions: `x_at(n, c, i, j)`
/// and `filter_at(k, r, s)` return doubles.
template <class X, class Filter>
[[nodiscard]] sum_at forward_of(conv2d_problem const& p, X const& x_at, Filter const& filter_at,
                                std::int64_t n, std::int64_t k, std::int64_t i, std::int64_t j)
{
  std::int64_t const c  = k / p.multiplier;
  long double value     = 0;
  long double magnitude = 0;
  sum_at sum;
  for (std::int64_t r = 0; r < p.filter.height; ++r) {
    for (std::int64_t s = 0; s < p.filter.width; ++s) {
      std::int64_t const row    = i * p.stride.height + r * p.dilation.height - p.pad.top;
      std::int64_t const column = j * p.stride.width + s * p.dilation.width - p.pad.left;
      if (row < 0 || row >= p.input.height || column < 0 || column >= p.input.width) { continue; }
      long double const product = static_cast<long double>(x_at(n, c, row, column)) *
                                  static_cast<long double>(filter_at(k, r, s));
      value += product;
      magnitude += std::fabs(product);
      ++sum.terms;
    }
  }
  sum.value     = static_cast<double>(value);
  sum.magnitude = static_cast<double>(magnitude);
  return sum;
}

/// y[n][k][i][j] for tensors in memory.
template <class T>
[[nodiscard]] sum_at forward_at(conv2d_problem const& p, T const* x, T const* filter,
                                std::int64_t n, std::int64_t k, std::int64_t i, std::int64_t j)
{
  auto const x_at = [&](std::int64_t image, std::int64_t c, std::int64_t row, std::int64_t column) {
    return to_double(x[offset_of(p.data_layout, p.channels, p.input, image, c, row, column)]);
  };
  auto const filter_at = [&](std::int64_t output, std::int64_t r, std::int64_t s) {
    return to_double(filter[s + p.filter.width * (r + p.filter.height * output)]);
  };
  return forward_of(p, x_at, filter_at, n, k, i, j);
}

/// Every output, in the order of y in memory.
template <class T>
[[nodiscard]] std::vector<sum_at> forward(conv2d_problem const& p, std::vector<T> const& x,
                                          std::vector<T> const& filter)
{
  extent2 const out           = output_shape(p);
  std::int64_t const channels = p.channels * p.multiplier;
  std::vector<sum_at> y(static_cast<std::size_t>(p.batch * channels * out.height * out.width));
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t k = 0; k < channels; ++k) {
      for (std::int64_t i = 0; i < out.height; ++i) {
        for (std::int64_t j = 0; j < out.width; ++j) {
          y[offset_of(p.data_layout, channels, out, n, k, i, j)] =
            forward_at(p, x.data(), filter.data(), n, k, i, j);
        }
      }
    }
  }
  return y;
}

/// The most by which a correct kernel's output may differ from `sum.value`, whatever the order of
/// its additions: gamma_n * sum |x * w| with gamma_n = n u / (1 - n u) and u the rounding unit of
/// the type summed in (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1),
/// products too small for that type, and half a unit of T for the store. Zero where no tap fell on
/// the image. The value must be within T's range. For sums that are not kept in the type of their
/// elements, `Stored` is what they are kept in.
template <class T, class Stored = T>
[[nodiscard]] double error_bound(sum_at const& sum)
{
  if (sum.terms == 0) { return 0; }
  using format         = number_format<T>;
  auto const terms     = static_cast<double>(sum.terms);
  double const nu      = terms * std::ldexp(1.0, -format::sum_digits);
  double const summing = nu / (1 - nu) * sum.magnitude;
  double const underflow =
    terms * std::ldexp(1.0, std::max(format::sum_exponent - format::sum_digits, -1074));
  return summing + underflow + half_unit<Stored>(std::fabs(sum.value) + summing);
}

}  // namespace dwconv_reference
