// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include <dwconv/forward.cuh>
#include <dwconv/problem/traffic.hpp>

#include "measure_forward.hpp"
#include "random_data.cuh"
#include "sampled_check.cuh"
#include "session.cuh"
#include "tile_policy.hpp"

namespace dwconv_bench {

/// The plan a caller would get, unless another family or tile is asked for.
///
/// @throws cell_refused where there is no such plan.
template <dwconv::element T>
[[nodiscard]] dwconv::forward_plan forward_plan_for(
  bench_session const& session, dwconv::conv2d_problem const& problem,
  std::optional<dwconv::window_policy> const& tile)
{
  auto const plan = dwconv::make_forward_plan<T>(problem, session.device, session.options.family);
  if (!plan.outcome.ok()) { throw cell_refused{plan.outcome.message()}; }
  if (problem.batch == 0) { throw cell_refused{"batch is 0: there is nothing to time"}; }
  return tile.has_value() ? with_tile(plan, *tile) : plan;
}

/// Lays x, filter and y one after the other in the session's memory.
template <dwconv::element T>
[[nodiscard]] dwconv::forward_tensors<T> place_forward_tensors(
  device_memory& memory, dwconv::conv2d_problem const& problem)
{
  constexpr auto size       = static_cast<std::int64_t>(sizeof(T));
  std::int64_t const x      = aligned_bytes(input_elements(problem) * size);
  std::int64_t const filter = aligned_bytes(filter_elements(problem) * size);
  std::int64_t const y      = aligned_bytes(output_elements(problem) * size);
  std::byte* const begin    = memory.reserve(x + filter + y);
  return {.x      = reinterpret_cast<T*>(begin),
          .filter = reinterpret_cast<T*>(begin + x),
          .y      = reinterpret_cast<T*>(begin + x + filter)};
}

template <dwconv::element T>
measurement measure_forward(bench_session& session, dwconv::conv2d_problem const& problem,
                            std::optional<dwconv::window_policy> const& tile)
{
  auto const plan      = forward_plan_for<T>(session, problem, tile);
  auto const work      = dwconv::forward_traffic(problem, dwconv::dtype_of<T>);
  double const copy_ms = session.copy_milliseconds(work.bytes());

  auto const tensors = place_forward_tensors<T>(session.tensors, problem);
  fill_random(const_cast<T*>(tensors.x), input_elements(problem), x_sequence, session.stream);
  fill_random(const_cast<T*>(tensors.filter), filter_elements(problem), filter_sequence,
              session.stream);
  auto const enqueue = [&] { check(dwconv::run(plan, tensors, session.stream)); };
  if (session.options.check) {
    // All ones is a NaN in every element type: an output nobody wrote cannot look right.
    check(cudaMemsetAsync(tensors.y, 0xff, static_cast<std::size_t>(work.bytes_written),
                          session.stream),
          "cudaMemsetAsync of y");
    enqueue();
    check_forward_samples(session, problem, tensors.y);
  }
  measurement result{.times             = session.timer.measure(enqueue),
                     .copy_milliseconds = copy_ms,
                     .work              = work,
                     .label             = name_of(plan.family)};
  if (!session.options.tiles.empty() && has_window_tile(plan)) {
    result.label.append(" ").append(tile_text(plan.window));
    result.launch = {plan.threads, plan.shared_bytes, plan.blocks};
  }
  return result;
}

}  // namespace dwconv_bench
