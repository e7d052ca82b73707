// SPDX-License-Identifier: Apache-2.0
#include <dwconv/dwconv.cuh>

#if defined(MUST_FAIL)
using shape = dwconv::stride<1, 0>;
#else
using shape = dwconv::stride<1, 1>;
#endif

dwconv::status call(dwconv::conv2d_problem const& problem)
{
  return dwconv::forward<float, dwconv::taps<3, 3>, shape>(problem, {}, cudaStream_t{});
}
