// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/conv2d.hpp"

/// Seeded numbers that come out the same with every compiler and library.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_{seed} {}

  /// splitmix64 (Steele, Lea and Flood, 2014).
  std::uint64_t roll()
  {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z               = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z               = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  /// least to most, both included.
  std::int64_t between(std::int64_t least, std::int64_t most)
  {
    return least + static_cast<std::int64_t>(roll() % static_cast<std::uint64_t>(most - least + 1));
  }

  /// -1 to 1.
  double unit() { return std::ldexp(static_cast<double>(roll() >> 11), -52) - 1; }

 private:
  std::uint64_t state_;
};

/// A problem and what it is run on.
template <typename T>
struct forward_case {
  dwconv::conv2d_problem problem;
  std::vector<T> x;
  std::vector<T> filter;
};

[[nodiscard]] inline std::size_t x_size(dwconv::conv2d_problem const& p)
{
  return static_cast<std::size_t>(p.batch * p.channels * p.input.height * p.input.width);
}
[[nodiscard]] inline std::size_t filter_size(dwconv::conv2d_problem const& p)
{
  return static_cast<std::size_t>(p.channels * p.multiplier * p.filter.height * p.filter.width);
}
[[nodiscard]] inline std::size_t y_size(dwconv::conv2d_problem const& p)
{
  dwconv::extent2 const out = dwconv_reference::output_shape(p);
  return static_cast<std::size_t>(p.batch * p.channels * p.multiplier * out.height * out.width);
}

/// Integers from -3 to 3: every sum is exact in every sum type, so a wrong tap is a wrong integer.
template <typename T>
[[nodiscard]] std::vector<T> integers(std::size_t size, std::uint64_t seed)
{
  dice random{seed};
  std::vector<T> values(size);
  for (T& value : values) {
    value = dwconv_reference::rounded<T>(static_cast<double>(random.between(-3, 3)));
  }
  return values;
}

/// Real numbers of either sign, from about 1/64 to 4.
template <typename T>
[[nodiscard]] std::vector<T> reals(std::size_t size, std::uint64_t seed)
{
  dice random{seed};
  std::vector<T> values(size);
  for (T& value : values) {
    auto const exponent = static_cast<int>(random.between(-6, 2));
    value               = dwconv_reference::rounded<T>(std::ldexp(random.unit(), exponent));
  }
  return values;
}

template <typename T>
[[nodiscard]] forward_case<T> integer_case(dwconv::conv2d_problem const& problem,
                                           std::uint64_t seed = 1)
{
  return {problem, integers<T>(x_size(problem), seed), integers<T>(filter_size(problem), ~seed)};
}

template <typename T>
[[nodiscard]] forward_case<T> real_case(dwconv::conv2d_problem const& problem,
                                        std::uint64_t seed = 1)
{
  return {problem, reals<T>(x_size(problem), seed), reals<T>(filter_size(problem), ~seed)};
}
