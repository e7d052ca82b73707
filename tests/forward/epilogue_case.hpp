// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "forward/scenario.hpp"

/// Where an output lies, as the test counts.
struct place {
  std::int64_t batch, channel, row, column;
  std::size_t offset;
};

/// Visits every output of a problem.
template <typename Visit>
void for_each_output(dwconv::conv2d_problem const& p, Visit const& visit)
{
  dwconv::extent2 const out = dwconv_reference::output_shape(p);
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t k = 0; k < p.channels * p.multiplier; ++k) {
      for (std::int64_t i = 0; i < out.height; ++i) {
        for (std::int64_t j = 0; j < out.width; ++j) {
          visit(place{n, k, i, j, dwconv_reference::output_offset(p, n, k, i, j)});
        }
      }
    }
  }
}

/// A kernel or two of each family: every epilogue type compiles them anew.
using epilogue_instances =
  dwconv::instance_list<dwconv::toeplitz_instance<dwconv::taps<3, 3>, dwconv::stride<1, 1>>,
                        dwconv::window_instance<dwconv::taps<3, 3>, dwconv::stride<1, 1>>,
                        dwconv::window_instance<dwconv::any_taps, dwconv::any_stride>,
                        dwconv::direct_instance<dwconv::any_taps, dwconv::any_stride>>;

/// The run-time door with an epilogue.
template <typename Epilogue>
struct door_with {
  Epilogue epilogue;

  template <typename T>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    auto const plan = dwconv::make_forward_plan<T, epilogue_instances>(problem, 0);
    return dwconv::run<T, epilogue_instances>(plan, tensors, stream, epilogue);
  }
};
template <typename Epilogue>
door_with(Epilogue) -> door_with<Epilogue>;

/// Runs the case with an epilogue and compares with `formula(sum, place)`, in double. The sum may
/// be off by its bound, which the formula may stretch by `slope`; evaluating the formula costs up
/// to 8 roundings of the sum type.
template <typename T, typename Epilogue, typename Formula>
[[nodiscard]] agreement agrees_with(forward_case<T> const& c, Epilogue const& epilogue,
                                    Formula const& formula, double slope = 1)
{
  using namespace dwconv_reference;
  std::vector<T> const y = output_of(c, door_with{epilogue});
  if (y.size() != y_size(c.problem)) { return {"the call failed"}; }
  auto const sums   = forward(c.problem, c.x, c.filter);
  double const unit = std::ldexp(1.0, -number_format<T>::sum_digits);
  agreement result;
  for_each_output(c.problem, [&](place const& at) {
    sum_at const& sum     = sums[at.offset];
    double const expected = formula(sum.value, at);
    double const found    = to_double(y[at.offset]);
    double const allowed  = slope * error_bound<T>(sum) +
                           8 * unit * (std::fabs(sum.value) + std::fabs(expected)) +
                           half_unit<T>(expected);
    if (result && !(std::fabs(found - expected) <= allowed)) {
      result.complaint = "y[" + std::to_string(at.offset) + "] is " + std::to_string(found) +
                         ", must be " + std::to_string(expected) + " for the sum " +
                         std::to_string(sum.value);
    }
  });
  return result;
}
