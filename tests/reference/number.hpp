// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace dwconv_reference {

/// A binary floating-point format: bits of the significand (the hidden one counted) and exponent of
/// the smallest normal number. `sum_digits` is the format its products are summed in.
template <class T>
struct number_format;

template <>
struct number_format<__half> {
  static constexpr int digits = 11, least_exponent = -14, sum_digits = 24, sum_exponent = -126;
};
template <>
struct number_format<__nv_bfloat16> {
  static constexpr int digits = 8, least_exponent = -126, sum_digits = 24, sum_exponent = -126;
};
template <>
struct number_format<float> {
  static constexpr int digits = 24, least_exponent = -126, sum_digits = 24, sum_exponent = -126;
};
template <>
struct number_format<double> {
  static constexpr int digits = 53, least_exponent = -1022, sum_digits = 53, sum_exponent = -1022;
};

/// An element's value; exact.
[[nodiscard]] inline double to_double(double value)
{
  return value;
}
[[nodiscard]] inline double to_double(float value)
{
  return value;
}
[[nodiscard]] inline double to_double(__half value)
{
  return __half2float(value);
}
[[nodiscard]] inline double to_double(__nv_bfloat16 value)
{
  return __bfloat162float(value);
}

/// The element nearest to `value`.
template <class T>
[[nodiscard]] T rounded(double value)
{
  return static_cast<T>(value);
}
template <>
[[nodiscard]] inline __half rounded<__half>(double value)
{
  return __double2half(value);
}
template <>
[[nodiscard]] inline __nv_bfloat16 rounded<__nv_bfloat16>(double value)
{
  return __double2bfloat16(value);
}

/// Half the distance between the elements around `value`: the most that rounding to T changes it,
/// subnormal results included.
template <class T>
[[nodiscard]] double half_unit(double value)
{
  using format       = number_format<T>;
  int const exponent = value == 0 ? format::least_exponent
                                  : std::max(std::ilogb(std::fabs(value)), format::least_exponent);
  // Half the smallest subnormal double is no double: doubled, it is.
  return std::ldexp(1.0, std::max(exponent - format::digits, -1074));
}

}  // namespace dwconv_reference
