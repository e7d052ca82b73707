// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/element.cuh>
#include <dwconv/problem/descriptor.hpp>

#include "measurement.hpp"

namespace dwconv_bench {

struct bench_session;

/// Checks and times one forward cell. Each element type is compiled in a file of its own.
///
/// @throws cell_refused, or std::runtime_error where the result is wrong or the device fails.
template <dwconv::element T>
measurement measure_forward(bench_session& session, dwconv::conv2d_problem const& problem);

}  // namespace dwconv_bench
