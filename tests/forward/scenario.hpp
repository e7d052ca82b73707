// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <dwconv/epilogue/epilogue.cuh>
#include <dwconv/forward.cuh>

#include "forward/agreement.hpp"
#include "forward/doors.hpp"
#include "forward/inputs.hpp"
#include "support/device_buffer.hpp"

/// The door that takes any filter; what a scenario calls unless told otherwise.
struct run_time_door {
  template <typename T>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    return dwconv::forward<T>(problem, tensors, stream);
  }
};

/// The run-time door with its choice narrowed to one family.
struct family_door {
  dwconv::kernel_family family;

  template <typename T>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    return dwconv::run<T>(dwconv::make_forward_plan<T>(problem, 0, family), tensors, stream);
  }
};

/// Whether the run-time door takes the window family for a problem.
template <typename T>
[[nodiscard]] bool window_takes(dwconv::conv2d_problem const& problem)
{
  auto const plan = dwconv::make_forward_plan<T>(problem, 0);
  return plan.outcome.ok() && plan.family == dwconv::kernel_family::window;
}

/// Elements that each tensor starts past an aligned address.
struct misalignment {
  std::size_t x, filter, y;
  misalignment(std::size_t all = 0) : misalignment{all, all, all} {}
  misalignment(std::size_t x_, std::size_t filter_, std::size_t y_) : x{x_}, filter{filter_}, y{y_}
  {}
};

/// What a call left behind.
template <typename T>
struct aftermath {
  dwconv::status outcome;
  cudaError_t device;  ///< How the stream's work ended.
  std::vector<T> y;
  bool only_y_written;  ///< x, filter and the canaries of all three are as they were.

  /// Every output still is the NaN the buffer was filled with.
  [[nodiscard]] bool y_untouched() const
  {
    std::vector<T> filled(y.size());
    if (!filled.empty()) { std::memset(filled.data(), 0xFF, filled.size() * sizeof(T)); }
    return same_bits(y, filled);
  }
};

/// Buffers, call, wait, read.
template <typename T, typename Door = run_time_door>
[[nodiscard]] aftermath<T> run_case(forward_case<T> const& c, Door const& door = {},
                                    misalignment misalign = {})
{
  device_buffer<T> x{c.x, misalign.x};
  device_buffer<T> filter{c.filter, misalign.filter};
  device_buffer<T> y{y_size(c.problem), poison{}, misalign.y};
  dwconv::forward_tensors<T> const tensors{x.data(), filter.data(), y.data()};
  dwconv::status const outcome = door(c.problem, tensors, test_stream());
  cudaError_t const device     = synchronize();
  bool const rest_untouched    = x.canaries_intact() && filter.canaries_intact() &&
                              y.canaries_intact() && same_bits(x.read(), c.x) &&
                              same_bits(filter.read(), c.filter);
  return {outcome, device, y.read(), rest_untouched};
}

/// Runs the case and holds it against the reference.
template <typename T, typename Door = run_time_door>
[[nodiscard]] agreement agrees(forward_case<T> const& c, tolerance t, Door const& door = {},
                               misalignment misalign = {})
{
  aftermath<T> const a = run_case(c, door, misalign);
  if (!a.outcome.ok()) { return {describe(c.problem) + ": " + a.outcome.message()}; }
  if (a.device != cudaSuccess) {
    return {describe(c.problem) + ": device error " + std::to_string(static_cast<int>(a.device))};
  }
  if (!a.only_y_written) { return {describe(c.problem) + ": wrote outside y"}; }
  return compare(c, a.y.data(), t);
}

/// On integers bit for bit, on real numbers within the bound per element.
template <typename T, typename Door = run_time_door>
[[nodiscard]] agreement agrees_with_reference(dwconv::conv2d_problem const& problem,
                                              std::uint64_t seed = 1, Door const& door = {})
{
  agreement const exactly = agrees(integer_case<T>(problem, seed), tolerance::none, door);
  return exactly ? agrees(real_case<T>(problem, seed), tolerance::bound, door) : exactly;
}

/// y of a case that must succeed; empty if it does not.
template <typename T, typename Door = run_time_door>
[[nodiscard]] std::vector<T> output_of(forward_case<T> const& c, Door const& door = {},
                                       misalignment misalign = {})
{
  aftermath<T> a  = run_case(c, door, misalign);
  bool const fine = a.outcome.ok() && a.device == cudaSuccess && a.only_y_written;
  return fine ? std::move(a.y) : std::vector<T>{};
}
