// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include <dwconv/core/element.cuh>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/problem/descriptor.hpp>

#include "measurement.hpp"

namespace dwconv_bench {

struct bench_session;

/// Checks and times one forward cell. Each element type is compiled in a file of its own.
///
/// @param tile Completed and suitable, instead of the planned one.
/// @throws cell_refused, or std::runtime_error where the result is wrong or the device fails.
template <dwconv::element T>
measurement measure_forward(bench_session& session, dwconv::conv2d_problem const& problem,
                            std::optional<dwconv::window_policy> const& tile);

/// The same of the gradients of x and of the filter, and of both by one call; these have no tiles
/// to compare.
template <dwconv::element T>
measurement measure_backward_data(bench_session& session, dwconv::conv2d_problem const& problem,
                                  std::optional<dwconv::window_policy> const& tile);
template <dwconv::element T>
measurement measure_backward_filter(bench_session& session, dwconv::conv2d_problem const& problem,
                                    std::optional<dwconv::window_policy> const& tile);
template <dwconv::element T>
measurement measure_backward(bench_session& session, dwconv::conv2d_problem const& problem,
                             std::optional<dwconv::window_policy> const& tile);

}  // namespace dwconv_bench
