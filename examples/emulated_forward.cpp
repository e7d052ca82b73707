// SPDX-License-Identifier: Apache-2.0
// The only file here compiled against the emulation (tests/emulation) in place of the GPU. The
// library's functions that launch carry their target in their names, so these and the GPU's live in
// one program.
#include "emulated_forward.hpp"

#include <stdexcept>

#include <dwconv/forward.cuh>

namespace examples {

dwconv::forward_plan plan_emulated(dwconv::conv2d_problem const& problem)
{
  return dwconv::make_forward_plan<float>(problem, 0);
}

void run_emulated(dwconv::forward_plan const& plan, dwconv::forward_tensors<float> const& tensors)
{
  dwconv::status const done = dwconv::run<float>(plan, tensors, nullptr);
  if (!done.ok()) {
    throw std::runtime_error{done.message() + " " + dwconv_emulation::last_error()};
  }
}

}  // namespace examples
