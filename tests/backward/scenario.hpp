// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "backward/doors.hpp"
#include "forward/scenario.hpp"
#include "reference/gradients.hpp"

/// A problem and what its gradients are taken of.
template <typename T>
struct gradient_case {
  dwconv::conv2d_problem problem;
  std::vector<T> x;
  std::vector<T> dy;
  std::vector<T> filter;
};

template <typename T>
[[nodiscard]] gradient_case<T> integer_gradients(dwconv::conv2d_problem const& p,
                                                 std::uint64_t seed = 1)
{
  return {p, integers<T>(x_size(p), seed), integers<T>(y_size(p), seed + 1),
          integers<T>(filter_size(p), ~seed)};
}

template <typename T>
[[nodiscard]] gradient_case<T> real_gradients(dwconv::conv2d_problem const& p,
                                              std::uint64_t seed = 1)
{
  return {p, reals<T>(x_size(p), seed), reals<T>(y_size(p), seed + 1),
          reals<T>(filter_size(p), ~seed)};
}

/// What a call left behind.
template <typename Gradient>
struct gradient_aftermath {
  dwconv::status outcome;
  cudaError_t device;  ///< How the stream's work ended.
  std::vector<Gradient> gradient;
  bool rest_untouched;  ///< Inputs, and the canaries of all buffers, are as they were.

  [[nodiscard]] bool fine() const
  {
    return outcome.ok() && device == cudaSuccess && rest_untouched;
  }
  /// Every element still is the NaN its buffer was filled with.
  [[nodiscard]] bool untouched() const
  {
    std::vector<Gradient> filled(gradient.size());
    if (!filled.empty()) {
      std::memset(static_cast<void*>(filled.data()), 0xFF, filled.size() * sizeof(Gradient));
    }
    return same_bits(gradient, filled);
  }
};

/// The door of backward_data, or a plan of one family.
struct data_door {
  std::optional<dwconv::kernel_family> family{};

  template <typename T>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::backward_data_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    if (!family.has_value()) { return dwconv::backward_data<T>(problem, tensors, stream); }
    return dwconv::run<T>(dwconv::make_backward_data_plan<T>(problem, 0, family), tensors, stream);
  }
};

/// The door of backward_filter, or a plan of one family.
struct filter_door {
  dwconv::update how = dwconv::update::overwrite;
  std::optional<dwconv::kernel_family> family{};

  template <typename T, typename Gradient>
  [[nodiscard]] dwconv::status operator()(
    dwconv::conv2d_problem const& problem,
    dwconv::backward_filter_tensors<T, Gradient> const& tensors, dwconv::workspace const& scratch,
    cudaStream_t stream) const
  {
    if (!family.has_value()) {
      return dwconv::backward_filter<T, Gradient>(problem, tensors, scratch, stream, how);
    }
    return dwconv::run<T, Gradient>(dwconv::make_backward_filter_plan<T>(problem, 0, family),
                                    tensors, scratch, stream, how);
  }
};

/// The door of backward_bias.
struct bias_door {
  dwconv::update how = dwconv::update::overwrite;

  template <typename T, typename Gradient>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::backward_bias_tensors<T, Gradient> const& tensors,
                                          dwconv::workspace const& scratch,
                                          cudaStream_t stream) const
  {
    return dwconv::backward_bias<T, Gradient>(problem, tensors, scratch, stream, how);
  }
};

/// A workspace of exactly the bytes that a plan asks for, between two canaries.
template <typename T>
class exact_workspace {
 public:
  template <typename Plan>
  explicit exact_workspace(Plan const& plan)
    : bytes_{dwconv::workspace_bytes(plan)},
      memory_{static_cast<std::size_t>(bytes_) / sizeof(dwconv::sum_of<T>), poison{}}
  {}

  [[nodiscard]] dwconv::workspace get() { return {memory_.data(), bytes_}; }
  [[nodiscard]] bool canaries_intact() const { return memory_.canaries_intact(); }

 private:
  std::int64_t bytes_;
  device_buffer<dwconv::sum_of<T>> memory_;
};

template <typename T, typename Door = data_door>
[[nodiscard]] gradient_aftermath<T> run_data(gradient_case<T> const& c, Door const& door = {},
                                             misalignment misalign = {})
{
  device_buffer<T> dy{c.dy, misalign.y}, filter{c.filter, misalign.filter};
  device_buffer<T> dx{c.x.size(), poison{}, misalign.x};
  dwconv::backward_data_tensors<T> const tensors{dy.data(), filter.data(), dx.data()};
  dwconv::status const outcome = door(c.problem, tensors, test_stream());
  cudaError_t const device     = synchronize();
  bool const rest = dy.canaries_intact() && filter.canaries_intact() && dx.canaries_intact() &&
                    same_bits(dy.read(), c.dy) && same_bits(filter.read(), c.filter);
  return {outcome, device, dx.read(), rest};
}

/// The plan whose workspace a door of backward_filter needs.
template <typename T, typename Door>
[[nodiscard]] dwconv::backward_filter_plan planned_by(Door const& door,
                                                      dwconv::conv2d_problem const& problem)
{
  if constexpr (requires { door.family; }) {
    return dwconv::make_backward_filter_plan<T>(problem, 0, door.family);
  } else {
    return dwconv::make_backward_filter_plan<T>(problem, 0);
  }
}

/// @param before What dfilter holds before the call; NaN if empty.
template <typename T, typename Gradient = T, typename Door = filter_door>
[[nodiscard]] gradient_aftermath<Gradient> run_filter(gradient_case<T> const& c,
                                                      Door const& door                    = {},
                                                      misalignment misalign               = {},
                                                      std::vector<Gradient> const& before = {})
{
  exact_workspace<T> scratch{planned_by<T>(door, c.problem)};
  device_buffer<T> x{c.x, misalign.x}, dy{c.dy, misalign.y};
  device_buffer<Gradient> dfilter{filter_size(c.problem), poison{}, misalign.filter};
  if (!before.empty()) { dfilter.write(before); }
  dwconv::backward_filter_tensors<T, Gradient> const tensors{x.data(), dy.data(), dfilter.data()};
  dwconv::status const outcome = door(c.problem, tensors, scratch.get(), test_stream());
  cudaError_t const device     = synchronize();
  bool const rest = x.canaries_intact() && dy.canaries_intact() && dfilter.canaries_intact() &&
                    scratch.canaries_intact() && same_bits(x.read(), c.x) &&
                    same_bits(dy.read(), c.dy);
  return {outcome, device, dfilter.read(), rest};
}

/// @param before What dbias holds before the call; NaN if empty.
template <typename T, typename Gradient = T, typename Door = bias_door>
[[nodiscard]] gradient_aftermath<Gradient> run_bias(gradient_case<T> const& c,
                                                    Door const& door                    = {},
                                                    misalignment misalign               = {},
                                                    std::vector<Gradient> const& before = {})
{
  exact_workspace<T> scratch{dwconv::make_backward_bias_plan<T>(c.problem, 0)};
  device_buffer<T> dy{c.dy, misalign.y};
  device_buffer<Gradient> dbias{static_cast<std::size_t>(c.problem.output_channels()), poison{},
                                misalign.filter};
  if (!before.empty()) { dbias.write(before); }
  dwconv::backward_bias_tensors<T, Gradient> const tensors{dy.data(), dbias.data()};
  dwconv::status const outcome = door(c.problem, tensors, scratch.get(), test_stream());
  cudaError_t const device     = synchronize();
  bool const rest = dy.canaries_intact() && dbias.canaries_intact() && scratch.canaries_intact() &&
                    same_bits(dy.read(), c.dy);
  return {outcome, device, dbias.read(), rest};
}

/// Compares a gradient with its sums.
///
/// @tparam T     Of the elements that were multiplied.
/// @param name   Of the gradient, for the complaint.
/// @param chain  The most additions one after the other, if that is less than all of them.
template <typename T, typename Gradient>
[[nodiscard]] agreement compare_gradient(char const* name, dwconv::conv2d_problem const& problem,
                                         std::vector<dwconv_reference::sum_at> const& expected,
                                         Gradient const* found, tolerance t,
                                         std::int64_t chain = INT64_MAX)
{
  using namespace dwconv_reference;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    sum_at sum         = expected[i];
    sum.terms          = std::min(sum.terms, chain);
    double const value = to_double(found[i]);
    double const bound = t == tolerance::none ? 0 : error_bound<T, Gradient>(sum);
    bool const close   = t == tolerance::none
                           ? value == to_double(rounded<Gradient>(expected[i].value))
                           : std::fabs(value - expected[i].value) <= bound;  // false for NaN
    if (close) { continue; }
    std::ostringstream text;
    text.precision(17);
    text << name_of(dwconv::dtype_of<T>) << " " << describe(problem) << ": " << name << "[" << i
         << "] is " << value << ", must be " << expected[i].value << " +- " << bound;
    return {text.str()};
  }
  return {};
}

/// How a call ended, if not well.
template <typename Gradient>
[[nodiscard]] agreement ended_well(dwconv::conv2d_problem const& problem,
                                   gradient_aftermath<Gradient> const& a)
{
  if (!a.outcome.ok()) { return {describe(problem) + ": " + a.outcome.message()}; }
  if (a.device != cudaSuccess) {
    return {describe(problem) + ": device error " + std::to_string(static_cast<int>(a.device))};
  }
  if (!a.rest_untouched) { return {describe(problem) + ": wrote outside the gradient"}; }
  return {};
}

template <typename T, typename Door = data_door>
[[nodiscard]] agreement data_agrees(gradient_case<T> const& c, tolerance t, Door const& door = {},
                                    misalignment misalign = {})
{
  auto const a         = run_data(c, door, misalign);
  agreement const well = ended_well(c.problem, a);
  if (!well) { return well; }
  auto const expected = dwconv_reference::backward_data(c.problem, c.dy, c.filter);
  return compare_gradient<T>("dx", c.problem, expected, a.gradient.data(), t);
}

template <typename T, typename Gradient = T>
[[nodiscard]] agreement filter_agrees(gradient_case<T> const& c, tolerance t,
                                      misalignment misalign = {})
{
  auto const a         = run_filter<T, Gradient>(c, {}, misalign);
  agreement const well = ended_well(c.problem, a);
  if (!well) { return well; }
  auto const plan     = dwconv::make_backward_filter_plan<T>(c.problem, 0);
  auto const expected = dwconv_reference::backward_filter(c.problem, c.x, c.dy);
  return compare_gradient<T>("dfilter", c.problem, expected, a.gradient.data(), t,
                             longest_chain(plan) + 1);
}

template <typename T, typename Gradient = T>
[[nodiscard]] agreement bias_agrees(gradient_case<T> const& c, tolerance t,
                                    misalignment misalign = {})
{
  auto const a         = run_bias<T, Gradient>(c, {}, misalign);
  agreement const well = ended_well(c.problem, a);
  if (!well) { return well; }
  auto const plan     = dwconv::make_backward_bias_plan<T>(c.problem, 0);
  auto const expected = dwconv_reference::backward_bias(c.problem, c.dy);
  return compare_gradient<T>("dbias", c.problem, expected, a.gradient.data(), t,
                             plan.direct.split.longest_chain());
}

/// Every gradient of a problem, those of filter and bias in T and in float: on integers bit for
/// bit, on real numbers within the bound per element.
template <typename T>
[[nodiscard]] agreement gradients_agree(dwconv::conv2d_problem const& problem,
                                        std::uint64_t seed = 1, misalignment misalign = {})
{
  auto const exact = integer_gradients<T>(problem, seed);
  auto const real  = real_gradients<T>(problem, seed);
  for (agreement const& a : {data_agrees(exact, tolerance::none, data_door{}, misalign),
                             data_agrees(real, tolerance::bound, data_door{}, misalign),
                             filter_agrees<T>(exact, tolerance::none, misalign),
                             filter_agrees<T, float>(exact, tolerance::none, misalign),
                             filter_agrees<T>(real, tolerance::bound, misalign),
                             bias_agrees<T>(exact, tolerance::none, misalign),
                             bias_agrees<T, float>(exact, tolerance::none, misalign),
                             bias_agrees<T>(real, tolerance::bound, misalign)}) {
    if (!a) { return a; }
  }
  return {};
}
