// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include <dwconv/epilogue/stage.cuh>

namespace dwconv::epilogue {

/// max(x, 0); NaN stays NaN.
struct relu {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Sum operator()(Sum x, output_coordinate const&) const
  {
    return x < Sum(0) ? Sum(0) : x;
  }
};

/// min(max(x, 0), 6); NaN stays NaN.
struct relu6 {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Sum operator()(Sum x, output_coordinate const&) const
  {
    return x < Sum(0) ? Sum(0) : x > Sum(6) ? Sum(6) : x;
  }
};

/// x / (1 + exp(-x)), also called swish.
struct silu {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE Sum operator()(Sum x, output_coordinate const&) const
  {
    return x / (Sum(1) + std::exp(-x));
  }
};

/// x * relu6(x + 3) / 6 (Howard et al., "Searching for MobileNetV3", 2019).
struct hardswish {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Sum operator()(Sum x,
                                                            output_coordinate const& at) const
  {
    return x * relu6{}(x + Sum(3), at) / Sum(6);
  }
};

/// x * Phi(x) with the exact normal distribution function (Hendrycks and Gimpel, 2016).
struct gelu {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE Sum operator()(Sum x, output_coordinate const&) const
  {
    constexpr Sum sqrt_half = Sum(0.70710678118654752440);
    return Sum(0.5) * x * (Sum(1) + std::erf(x * sqrt_half));
  }
};

/// The tanh approximation of gelu: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
struct gelu_tanh {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE Sum operator()(Sum x, output_coordinate const&) const
  {
    constexpr Sum sqrt_two_over_pi = Sum(0.79788456080286535588);
    return Sum(0.5) * x * (Sum(1) + std::tanh(sqrt_two_over_pi * (x + Sum(0.044715) * x * x * x)));
  }
};

}  // namespace dwconv::epilogue
