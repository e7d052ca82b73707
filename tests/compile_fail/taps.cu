// SPDX-License-Identifier: Apache-2.0
#include <dwconv/dwconv.cuh>

#if defined(MUST_FAIL)
using shape = dwconv::taps<0, 3>;
#else
using shape = dwconv::taps<1, 3>;
#endif

dwconv::status call(dwconv::conv2d_problem const& problem)
{
  return dwconv::forward<float, shape, dwconv::stride<1, 1>>(problem, {}, cudaStream_t{});
}
