// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include <dwconv/core/element.cuh>
#include <dwconv/plan/describe.hpp>

#include "forward/inputs.hpp"

/// Whether something came out as it should, and if not, what happened. Put it into CHECK().
struct agreement {
  std::string complaint;
  explicit operator bool() const { return complaint.empty(); }
  friend std::ostream& operator<<(std::ostream& out, agreement const& a)
  {
    return out << (a.complaint.empty() ? "agrees" : a.complaint);
  }
};

/// How far an output may be from the reference.
enum class tolerance {
  none,   ///< The exact value, rounded to T once. For integers.
  bound,  ///< `dwconv_reference::error_bound`.
};

template <typename T>
[[nodiscard]] bool same_bits(std::vector<T> const& a, std::vector<T> const& b)
{
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <typename T>
[[nodiscard]] bool close_enough(dwconv_reference::sum_at const& expected, double found, tolerance t)
{
  using namespace dwconv_reference;
  if (t == tolerance::none) { return found == to_double(rounded<T>(expected.value)); }
  return std::fabs(found - expected.value) <= error_bound<T>(expected);  // false for NaN
}

/// Compares y, as read from the device, with the reference.
template <typename T>
[[nodiscard]] agreement compare(forward_case<T> const& c, T const* y, tolerance t)
{
  auto const expected = dwconv_reference::forward(c.problem, c.x, c.filter);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double const found = dwconv_reference::to_double(y[i]);
    if (close_enough<T>(expected[i], found, t)) { continue; }
    std::ostringstream text;
    text.precision(17);
    text << name_of(dwconv::dtype_of<T>) << " " << describe(c.problem) << ": y[" << i << "] is "
         << found << ", must be " << expected[i].value;
    if (t == tolerance::bound) { text << " +- " << dwconv_reference::error_bound<T>(expected[i]); }
    return {text.str()};
  }
  return {};
}
