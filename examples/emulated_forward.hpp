// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/problem/tensors.hpp>

namespace examples {

/// The library's plan for the emulated device, an H200.
[[nodiscard]] dwconv::forward_plan plan_emulated(dwconv::conv2d_problem const& problem);

/// Runs the library's own kernel on the CPU, one CUDA thread after another. Slow, and says nothing
/// about speed.
///
/// @param tensors Pointers to host memory.
/// @throws std::runtime_error with what the library or the emulation refused.
void run_emulated(dwconv::forward_plan const& plan, dwconv::forward_tensors<float> const& tensors);

}  // namespace examples
