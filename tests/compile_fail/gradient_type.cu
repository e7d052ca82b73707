// SPDX-License-Identifier: Apache-2.0
#include <dwconv/backward_bias.cuh>

#if defined(MUST_FAIL)
using gradient = double;
#else
using gradient = float;
#endif

dwconv::status call(dwconv::conv2d_problem const& problem, __half const* dy, gradient* dbias,
                    dwconv::workspace const& scratch)
{
  return dwconv::backward_bias<__half, gradient>(problem, {.dy = dy, .dbias = dbias}, scratch,
                                                 cudaStream_t{});
}
