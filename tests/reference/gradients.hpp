// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/conv2d.hpp"

/// The gradients of a depthwise convolution from its definition, in long double on the CPU: the
/// convolution is a sum of products x * filter, and each gradient collects, for its elements, the
/// products in which they take part, with dy in their place.
namespace dwconv_reference {

/// Visits every product of a convolution: `visit(x, filter, y)` with the elements' offsets.
template <class Visit>
void for_each_product(conv2d_problem const& p, Visit const& visit)
{
  extent2 const out           = output_shape(p);
  std::int64_t const channels = p.channels * p.multiplier;
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t k = 0; k < channels; ++k) {
      for (std::int64_t i = 0; i < out.height; ++i) {
        for (std::int64_t j = 0; j < out.width; ++j) {
          std::size_t const y = offset_of(p.data_layout, channels, out, n, k, i, j);
          for (std::int64_t r = 0; r < p.filter.height; ++r) {
            for (std::int64_t s = 0; s < p.filter.width; ++s) {
              std::int64_t const row    = i * p.stride.height + r * p.dilation.height - p.pad.top;
              std::int64_t const column = j * p.stride.width + s * p.dilation.width - p.pad.left;
              if (row < 0 || row >= p.input.height || column < 0 || column >= p.input.width) {
                continue;
              }
              visit(offset_of(p.data_layout, p.channels, p.input, n, k / p.multiplier, row, column),
                    static_cast<std::size_t>(s + p.filter.width * (r + p.filter.height * k)), y);
            }
          }
        }
      }
    }
  }
}

/// dx[n][c][row][column] by the definition, with dy and filter read through functions: `dy_at(n, k,
/// i, j)` and `filter_at(k, r, s)` return doubles.
template <class Dy, class Filter>
[[nodiscard]] sum_at backward_data_of(conv2d_problem const& p, Dy const& dy_at,
                                      Filter const& filter_at, std::int64_t n, std::int64_t c,
                                      std::int64_t row, std::int64_t column)
{
  extent2 const out     = output_shape(p);
  long double value     = 0;
  long double magnitude = 0;
  sum_at sum;
  for (std::int64_t k = c * p.multiplier; k < (c + 1) * p.multiplier; ++k) {
    for (std::int64_t r = 0; r < p.filter.height; ++r) {
      std::int64_t const down = row + p.pad.top - r * p.dilation.height;
      if (down < 0 || down % p.stride.height != 0 || down / p.stride.height >= out.height) {
        continue;
      }
      for (std::int64_t s = 0; s < p.filter.width; ++s) {
        std::int64_t const across = column + p.pad.left - s * p.dilation.width;
        if (across < 0 || across % p.stride.width != 0 || across / p.stride.width >= out.width) {
          continue;
        }
        long double const product =
          static_cast<long double>(dy_at(n, k, down / p.stride.height, across / p.stride.width)) *
          static_cast<long double>(filter_at(k, r, s));
        value += product;
        magnitude += std::fabs(product);
        ++sum.terms;
      }
    }
  }
  sum.value     = static_cast<double>(value);
  sum.magnitude = static_cast<double>(magnitude);
  return sum;
}

/// dfilter[k][r][s] by the definition, with x and dy read through functions: `x_at(n, c, row,
/// column)` and `dy_at(n, k, i, j)` return doubles.
template <class X, class Dy>
[[nodiscard]] sum_at backward_filter_of(conv2d_problem const& p, X const& x_at, Dy const& dy_at,
                                        std::int64_t k, std::int64_t r, std::int64_t s)
{
  extent2 const out     = output_shape(p);
  long double value     = 0;
  long double magnitude = 0;
  sum_at sum;
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t i = 0; i < out.height; ++i) {
      std::int64_t const row = i * p.stride.height + r * p.dilation.height - p.pad.top;
      if (row < 0 || row >= p.input.height) { continue; }
      for (std::int64_t j = 0; j < out.width; ++j) {
        std::int64_t const column = j * p.stride.width + s * p.dilation.width - p.pad.left;
        if (column < 0 || column >= p.input.width) { continue; }
        long double const product =
          static_cast<long double>(x_at(n, k / p.multiplier, row, column)) *
          static_cast<long double>(dy_at(n, k, i, j));
        value += product;
        magnitude += std::fabs(product);
        ++sum.terms;
      }
    }
  }
  sum.value     = static_cast<double>(value);
  sum.magnitude = static_cast<double>(magnitude);
  return sum;
}

/// Sums that products are added to one by one.
class long_sums {
 public:
  explicit long_sums(std::size_t count) : values_(count), magnitudes_(count), terms_(count) {}

  void add(std::size_t at, double a, double b)
  {
    long double const product = static_cast<long double>(a) * static_cast<long double>(b);
    values_[at] += product;
    magnitudes_[at] += std::fabs(product);
    ++terms_[at];
  }

  [[nodiscard]] std::vector<sum_at> rounded() const
  {
    std::vector<sum_at> sums(values_.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] = {static_cast<double>(values_[i]), static_cast<double>(magnitudes_[i]), terms_[i]};
    }
    return sums;
  }

 private:
  std::vector<long double> values_;
  std::vector<long double> magnitudes_;
  std::vector<std::int64_t> terms_;
};

/// Every element of dx, in its order in memory.
template <class T>
[[nodiscard]] std::vector<sum_at> backward_data(conv2d_problem const& p, std::vector<T> const& dy,
                                                std::vector<T> const& filter)
{
  long_sums dx{static_cast<std::size_t>(p.batch * p.channels * p.input.height * p.input.width)};
  for_each_product(p, [&](std::size_t x, std::size_t tap, std::size_t y) {
    dx.add(x, to_double(dy[y]), to_double(filter[tap]));
  });
  return dx.rounded();
}

/// Every element of dfilter, in its order in memory.
template <class T>
[[nodiscard]] std::vector<sum_at> backward_filter(conv2d_problem const& p, std::vector<T> const& x,
                                                  std::vector<T> const& dy)
{
  long_sums dfilter{
    static_cast<std::size_t>(p.channels * p.multiplier * p.filter.height * p.filter.width)};
  for_each_product(p, [&](std::size_t at, std::size_t tap, std::size_t y) {
    dfilter.add(tap, to_double(x[at]), to_double(dy[y]));
  });
  return dfilter.rounded();
}

/// Every element of dbias.
template <class T>
[[nodiscard]] std::vector<sum_at> backward_bias(conv2d_problem const& p, std::vector<T> const& dy)
{
  extent2 const out           = output_shape(p);
  std::int64_t const channels = p.channels * p.multiplier;
  long_sums dbias{static_cast<std::size_t>(channels)};
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t k = 0; k < channels; ++k) {
      for (std::int64_t i = 0; i < out.height; ++i) {
        for (std::int64_t j = 0; j < out.width; ++j) {
          std::size_t const y = offset_of(p.data_layout, channels, out, n, k, i, j);
          dbias.add(static_cast<std::size_t>(k), to_double(dy[y]), 1);
        }
      }
    }
  }
  return dbias.rounded();
}

}  // namespace dwconv_reference
