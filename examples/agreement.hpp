// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "hashed_values.hpp"
#include "reference/conv2d.hpp"

namespace examples {

/// How far outputs are from what they should be.
class agreement {
 public:
  /// Takes in an output that may be off by `bound`.
  void add(double output, double expected, double bound)
  {
    double const error = std::fabs(output - expected);
    worst_             = std::max(worst_, error);
    ++outputs_;
    // Not the other way round: a NaN must not pass.
    if (!(error <= bound)) { ++beyond_; }
    if (bound > 0) { share_ = std::max(share_, error / bound); }
  }

  /// Prints one line, and throws if an output was off by more than its bound.
  void report(char const* what) const
  {
    std::printf("%-24s max error %.3g over %lld outputs, at most %.0f %% of what rounding allows\n",
                what, worst_, static_cast<long long>(outputs_), 100 * share_);
    if (beyond_ > 0) {
      throw std::runtime_error{std::string{what} + ": " + std::to_string(beyond_) + " of " +
                               std::to_string(outputs_) + " outputs are wrong"};
    }
  }

 private:
  double worst_         = 0;
  double share_         = 0;
  std::int64_t outputs_ = 0;
  std::int64_t beyond_  = 0;
};

/// Offsets into a tensor of `elements`: all of them, or `most` spread over it, the ends included.
[[nodiscard]] inline std::vector<std::int64_t> sampled_offsets(std::int64_t elements,
                                                               std::int64_t most)
{
  std::int64_t const count = std::min(elements, most);
  double const spacing     = static_cast<double>(elements) / static_cast<double>(most);
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < count; ++i) {
    // Somewhere within its share: an even spacing could visit the same few columns only.
    double const place = static_cast<double>(i) + 0.5 + 0.5 * hashed_value(i, 0);
    offsets.push_back(
      count == elements ? i : std::min(elements - 1, static_cast<std::int64_t>(place * spacing)));
  }
  if (count > 1) {
    offsets.front() = 0;
    offsets.back()  = elements - 1;
  }
  return offsets;
}

/// The output at an offset into y by the reference; `x_of` and `filter_of` give the element at an
/// offset.
template <typename X, typename Filter>
[[nodiscard]] dwconv_reference::sum_at reference_at(dwconv::conv2d_problem const& p, X const& x_of,
                                                    Filter const& filter_of, std::int64_t offset)
{
  auto const x_at = [&](std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j) {
    return static_cast<double>(x_of(static_cast<std::int64_t>(
      dwconv_reference::offset_of(p.data_layout, p.channels, p.input, n, c, i, j))));
  };
  auto const filter_at = [&](std::int64_t k, std::int64_t r, std::int64_t s) {
    return static_cast<double>(filter_of((k * p.filter.height + r) * p.filter.width + s));
  };
  auto const out              = dwconv_reference::output_shape(p);
  std::int64_t const channels = p.channels * p.multiplier;
  bool const inside           = p.data_layout == dwconv::layout::nhwc;
  std::int64_t rest           = offset;
  auto const next             = [&](std::int64_t extent) {
    std::int64_t const index = rest % extent;
    rest /= extent;
    return index;
  };
  std::int64_t k       = inside ? next(channels) : 0;
  std::int64_t const j = next(out.width);
  std::int64_t const i = next(out.height);
  if (!inside) { k = next(channels); }
  return dwconv_reference::forward_of(p, x_at, filter_at, rest, k, i, j);
}

}  // namespace examples
