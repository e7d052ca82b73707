// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/forward.cuh>

// The doors without an epilogue compile every kernel of the default list. They are instantiated
// once per element type, in doors_*.cpp, and not again in every file that calls them.

#define DWCONV_TEST_DOORS(KEYWORD, T)                                                         \
  KEYWORD template dwconv::status dwconv::forward<T, dwconv::epilogue::identity>(             \
    dwconv::conv2d_problem const&, std::type_identity_t<dwconv::forward_tensors<T>> const&,   \
    cudaStream_t, dwconv::epilogue::identity const&);                                         \
  KEYWORD template dwconv::status                                                             \
  dwconv::run<T, dwconv::default_instances, dwconv::epilogue::identity>(                      \
    dwconv::forward_plan const&, dwconv::forward_tensors<T> const&, cudaStream_t,             \
    dwconv::epilogue::identity const&);

#ifndef DWCONV_TEST_DOORS_DEFINED
DWCONV_TEST_DOORS(extern, float)
DWCONV_TEST_DOORS(extern, double)
DWCONV_TEST_DOORS(extern, __half)
DWCONV_TEST_DOORS(extern, __nv_bfloat16)
#endif
