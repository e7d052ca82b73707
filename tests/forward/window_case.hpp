// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tuple>

#include "forward/scenario.hpp"
#include "support/catch.hpp"

/// Filters and strides that the doors compile a kernel of the window family for; not the one for
/// any filter.
[[nodiscard]] inline std::vector<dwconv::compiled_shape> window_shapes()
{
  std::vector<dwconv::compiled_shape> shapes;
  for (dwconv::compiled_shape const& shape : dwconv::default_instances::shapes) {
    bool const window = shape.family == dwconv::kernel_family::window;
    if (window && shape.taps.height > 0) { shapes.push_back(shape); }
  }
  return shapes;
}

struct plane_counts {
  std::int64_t batch = 1, channels = 1, multiplier = 1;
};

/// A problem with the filter and stride of `shape` whose output is `out`.
[[nodiscard]] inline dwconv::conv2d_problem problem_with_output(dwconv::compiled_shape const& shape,
                                                                dwconv::extent2 out,
                                                                dwconv::padding2 pad       = {},
                                                                plane_counts const& counts = {})
{
  auto const input = [](std::int64_t outputs, std::int64_t stride, std::int64_t taps,
                        std::int64_t padding) { return (outputs - 1) * stride + taps - padding; };
  return {.batch      = counts.batch,
          .channels   = counts.channels,
          .multiplier = counts.multiplier,
          .input = {input(out.height, shape.stride.height, shape.taps.height, pad.top + pad.bottom),
                    input(out.width, shape.stride.width, shape.taps.width, pad.left + pad.right)},
          .filter = shape.taps,
          .stride = shape.stride,
          .pad    = pad};
}

/// The window family gives the bits that the direct family gives, and writes nothing else.
template <typename T, typename Door = family_door, typename Direct = family_door>
[[nodiscard]] agreement same_as_direct(dwconv::conv2d_problem const& problem,
                                       misalignment misalign     = {},
                                       Door const& door          = {dwconv::kernel_family::window},
                                       Direct const& direct_door = {dwconv::kernel_family::direct})
{
  auto const c           = real_case<T>(problem, 17);
  aftermath<T> window    = run_case(c, door, misalign);
  aftermath<T> direct    = run_case(c, direct_door, misalign);
  std::string const what = std::string{name_of(dwconv::dtype_of<T>)} + " " + describe(problem);
  if (!window.outcome.ok()) { return {what + ": " + window.outcome.message()}; }
  if (!direct.outcome.ok()) { return {what + ": direct: " + direct.outcome.message()}; }
  if (window.device != cudaSuccess) { return {what + ": device error"}; }
  if (!window.only_y_written) { return {what + ": wrote outside y"}; }
  for (std::size_t i = 0; i < window.y.size(); ++i) {
    if (std::memcmp(&window.y[i], &direct.y[i], sizeof(T)) != 0) {
      std::ostringstream text;
      text.precision(17);
      text << what << ": y[" << i << "] is " << dwconv_reference::to_double(window.y[i])
           << ", direct gives " << dwconv_reference::to_double(direct.y[i]);
      return {text.str()};
    }
  }
  return {};
}

/// The same for element type number `which`, modulo four.
[[nodiscard]] inline agreement same_as_direct(std::size_t which,
                                              dwconv::conv2d_problem const& problem,
                                              misalignment misalign = {})
{
  switch (which % 4) {
    case 0: return same_as_direct<float>(problem, misalign);
    case 1: return same_as_direct<__half>(problem, misalign);
    case 2: return same_as_direct<double>(problem, misalign);
    default: return same_as_direct<__nv_bfloat16>(problem, misalign);
  }
}
