// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <dwconv/backward.cuh>
#include <dwconv/problem/traffic.hpp>

#include "measure_forward.hpp"
#include "random_data.cuh"
#include "reference/gradients.hpp"
#include "sampled_check.cuh"
#include "session.cuh"

namespace dwconv_bench {

/// Tensors one after the other in the session's memory, each filled with its random sequence.
class tensor_stack {
 public:
  tensor_stack(bench_session& session, std::int64_t bytes)
    : session_{session}, at_{session.tensors.reserve(bytes)}
  {}

  template <dwconv::element T>
  [[nodiscard]] T* filled(std::int64_t count, std::uint64_t sequence)
  {
    T* const tensor = static_cast<T*>(next(count * static_cast<std::int64_t>(sizeof(T))));
    fill_random(tensor, count, sequence, session_.stream);
    return tensor;
  }

  /// All ones, which is a NaN in every element type: what nobody wrote cannot look right.
  [[nodiscard]] void* poisoned(std::int64_t bytes)
  {
    void* const memory = next(bytes);
    check(cudaMemsetAsync(memory, 0xff, static_cast<std::size_t>(bytes), session_.stream),
          "cudaMemsetAsync of a gradient");
    return memory;
  }

 private:
  [[nodiscard]] void* next(std::int64_t bytes)
  {
    std::byte* const memory = at_;
    at_ += aligned_bytes(bytes);
    return memory;
  }

  bench_session& session_;
  std::byte* at_;
};

/// Reads element (n, c, i, j) of a tensor of planes that holds a random sequence.
template <dwconv::element T>
[[nodiscard]] auto random_planes(dwconv::layout order, std::int64_t channels, dwconv::extent2 plane,
                                 std::uint64_t sequence)
{
  return [=](std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j) {
    auto const at = dwconv_reference::offset_of(order, channels, plane, n, c, i, j);
    return dwconv_reference::to_double(random_element<T>(sequence, static_cast<std::int64_t>(at)));
  };
}

template <dwconv::element T>
[[nodiscard]] auto random_x(dwconv::conv2d_problem const& p)
{
  return random_planes<T>(p.data_layout, p.channels, p.input, x_sequence);
}
template <dwconv::element T>
[[nodiscard]] auto random_dy(dwconv::conv2d_problem const& p)
{
  return random_planes<T>(p.data_layout, p.output_channels(), dwconv_reference::output_shape(p),
                          dy_sequence);
}

/// Compares sampled elements of dx with the reference.
///
/// @throws std::runtime_error that says how many were wrong, and which was the first.
template <dwconv::element T>
void check_data_samples(bench_session& session, dwconv::conv2d_problem const& p, T const* dx)
{
  constexpr int samples = 2000;
  std::vector<output_place> places;
  std::vector<std::int64_t> offsets;
  for (int sample = 0; sample < samples; ++sample) {
    auto const at = places.emplace_back(sampled_place({p.batch, p.channels, p.input}, sample));
    offsets.push_back(static_cast<std::int64_t>(
      dwconv_reference::offset_of(p.data_layout, p.channels, p.input, at.n, at.k, at.i, at.j)));
  }
  auto const filter_at = [&](std::int64_t k, std::int64_t r, std::int64_t s) {
    return dwconv_reference::to_double(
      random_element<T>(filter_sequence, s + p.filter.width * (r + p.filter.height * k)));
  };
  std::vector<T> const found = gather(session, dx, offsets);
  sample_verdict verdict{"dx"};
  for (std::size_t sample = 0; sample < places.size(); ++sample) {
    auto const& at = places[sample];
    auto const expected =
      dwconv_reference::backward_data_of(p, random_dy<T>(p), filter_at, at.n, at.k, at.i, at.j);
    verdict.add(at, dwconv_reference::to_double(found[sample]), expected.value,
                dwconv_reference::error_bound<T>(expected));
  }
  verdict.throw_if_wrong();
}

/// Compares sampled elements of dfilter with the reference: as many as a second or so allows, since
/// each is a sum over the whole batch.
///
/// @throws std::runtime_error that says how many were wrong, and which was the first.
template <dwconv::element T, typename Plan>
void check_filter_samples(bench_session& session, Plan const& plan, T const* dfilter)
{
  constexpr std::int64_t most_products = 1 << 24;
  dwconv::conv2d_problem const& p      = plan.problem;
  dwconv::extent2 const out            = output_extent(p);
  auto const products                  = p.batch * out.height * out.width;
  auto const samples =
    static_cast<int>(std::clamp<std::int64_t>(most_products / products, 3, 2000));
  std::vector<output_place> places;
  std::vector<std::int64_t> offsets;
  for (int sample = 0; sample < samples; ++sample) {
    auto const at = places.emplace_back(sampled_place({1, p.output_channels(), p.filter}, sample));
    offsets.push_back(at.j + p.filter.width * (at.i + p.filter.height * at.k));
  }
  std::vector<T> const found = gather(session, dfilter, offsets);
  sample_verdict verdict{"dfilter"};
  for (std::size_t sample = 0; sample < places.size(); ++sample) {
    auto const& at = places[sample];
    auto expected =
      dwconv_reference::backward_filter_of(p, random_x<T>(p), random_dy<T>(p), at.k, at.i, at.j);
    expected.terms = std::min(expected.terms, longest_chain(plan) + 1);
    verdict.add(at, dwconv_reference::to_double(found[sample]), expected.value,
                dwconv_reference::error_bound<T>(expected));
  }
  verdict.throw_if_wrong();
}

/// @throws cell_refused where there is nothing to time.
inline void refuse_unless_timed(dwconv::status const& outcome,
                                dwconv::conv2d_problem const& problem)
{
  if (!outcome.ok()) { throw cell_refused{outcome.message()}; }
  if (problem.batch == 0) { throw cell_refused{"batch is 0: there is nothing to time"}; }
}

template <dwconv::element T>
measurement measure_backward_data(bench_session& session, dwconv::conv2d_problem const& problem,
                                  std::optional<dwconv::window_policy> const&)
{
  auto const plan =
    dwconv::make_backward_data_plan<T>(problem, session.device, session.options.family);
  refuse_unless_timed(plan.outcome, problem);
  auto const work      = dwconv::backward_data_traffic(problem, dwconv::dtype_of<T>);
  double const copy_ms = session.copy_milliseconds(work.bytes());

  tensor_stack stack{session, work.bytes() + 3 * 256};
  T* const dy     = stack.filled<T>(output_elements(problem), dy_sequence);
  T* const filter = stack.filled<T>(filter_elements(problem), filter_sequence);
  T* const dx     = static_cast<T*>(stack.poisoned(work.bytes_written));
  dwconv::backward_data_tensors<T> const tensors{dy, filter, dx};
  auto const enqueue = [&] { check(dwconv::run<T>(plan, tensors, session.stream)); };
  if (session.options.check) {
    enqueue();
    check_data_samples(session, problem, dx);
  }
  return {.times             = session.timer.measure(enqueue),
          .copy_milliseconds = copy_ms,
          .work              = work,
          .label             = name_of(plan.family)};
}

template <dwconv::element T>
measurement measure_backward_filter(bench_session& session, dwconv::conv2d_problem const& problem,
                                    std::optional<dwconv::window_policy> const&)
{
  auto const plan =
    dwconv::make_backward_filter_plan<T>(problem, session.device, session.options.family);
  refuse_unless_timed(plan.outcome, problem);
  auto const work =
    dwconv::backward_filter_traffic(problem, dwconv::dtype_of<T>, dwconv::dtype_of<T>);
  double const copy_ms = session.copy_milliseconds(work.bytes());

  std::int64_t const scratch_bytes = workspace_bytes(plan);
  tensor_stack stack{session, work.bytes() + scratch_bytes + 4 * 256};
  T* const x       = stack.filled<T>(input_elements(problem), x_sequence);
  T* const dy      = stack.filled<T>(output_elements(problem), dy_sequence);
  T* const dfilter = static_cast<T*>(stack.poisoned(work.bytes_written));
  dwconv::workspace const scratch{stack.poisoned(scratch_bytes), scratch_bytes};
  dwconv::backward_filter_tensors<T> const tensors{x, dy, dfilter};
  auto const enqueue = [&] { check(dwconv::run<T>(plan, tensors, scratch, session.stream)); };
  if (session.options.check) {
    enqueue();
    check_filter_samples(session, plan, dfilter);
  }
  return {.times             = session.timer.measure(enqueue),
          .copy_milliseconds = copy_ms,
          .work              = work,
          .label             = name_of(plan.family)};
}

/// dx and dfilter through the one door, beside a copy of what one pass over both must move.
template <dwconv::element T>
measurement measure_backward(bench_session& session, dwconv::conv2d_problem const& problem,
                             std::optional<dwconv::window_policy> const&)
{
  if (session.options.family.has_value()) {
    throw cell_refused{"--family: a family is asked for one gradient at a time"};
  }
  auto const plan =
    dwconv::make_backward_plan<T>(problem, {.dx = true, .dfilter = true}, session.device);
  refuse_unless_timed(plan.outcome, problem);
  auto const work = dwconv::backward_traffic(problem, dwconv::dtype_of<T>, dwconv::dtype_of<T>);
  double const copy_ms = session.copy_milliseconds(work.bytes());

  std::int64_t const scratch_bytes = workspace_bytes(plan);
  constexpr auto size              = static_cast<std::int64_t>(sizeof(T));
  tensor_stack stack{session, work.bytes() + scratch_bytes + 6 * 256};
  T* const x       = stack.filled<T>(input_elements(problem), x_sequence);
  T* const dy      = stack.filled<T>(output_elements(problem), dy_sequence);
  T* const filter  = stack.filled<T>(filter_elements(problem), filter_sequence);
  T* const dx      = static_cast<T*>(stack.poisoned(input_elements(problem) * size));
  T* const dfilter = static_cast<T*>(stack.poisoned(filter_elements(problem) * size));
  dwconv::workspace const scratch{stack.poisoned(scratch_bytes), scratch_bytes};
  dwconv::backward_tensors<T> const tensors{x, dy, filter, dx, dfilter, nullptr};
  auto const enqueue = [&] { check(dwconv::run<T>(plan, tensors, scratch, session.stream)); };
  if (session.options.check) {
    enqueue();
    check_data_samples(session, problem, dx);
    check_filter_samples(session, plan, dfilter);
  }
  return {.times             = session.timer.measure(enqueue),
          .copy_milliseconds = copy_ms,
          .work              = work,
          .label             = plan.joint.chosen ? "one pass" : "one after the other"};
}

}  // namespace dwconv_bench
