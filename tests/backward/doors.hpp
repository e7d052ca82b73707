// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/backward_bias.cuh>
#include <dwconv/backward_data.cuh>
#include <dwconv/backward_filter.cuh>

// The doors of the gradients, instantiated once per element type, beside those of forward: most of
// the kernels of backward_data are forward's.

#define DWCONV_TEST_DATA_DOORS(KEYWORD, T)                                                        \
  KEYWORD template dwconv::status dwconv::backward_data<T>(                                       \
    dwconv::conv2d_problem const&, std::type_identity_t<dwconv::backward_data_tensors<T>> const&, \
    cudaStream_t);                                                                                \
  KEYWORD template dwconv::status dwconv::run<T, dwconv::default_instances>(                      \
    dwconv::backward_data_plan const&, dwconv::backward_data_tensors<T> const&, cudaStream_t);

#define DWCONV_TEST_SUM_DOORS(KEYWORD, T, GRADIENT)                                           \
  KEYWORD template dwconv::status dwconv::backward_filter<T, GRADIENT>(                       \
    dwconv::conv2d_problem const&,                                                            \
    std::type_identity_t<dwconv::backward_filter_tensors<T, GRADIENT>> const&,                \
    dwconv::workspace const&, cudaStream_t, dwconv::update);                                  \
  KEYWORD template dwconv::status dwconv::run<T, GRADIENT>(                                   \
    dwconv::backward_filter_plan const&, dwconv::backward_filter_tensors<T, GRADIENT> const&, \
    dwconv::workspace const&, cudaStream_t, dwconv::update);                                  \
  KEYWORD template dwconv::status dwconv::backward_bias<T, GRADIENT>(                         \
    dwconv::conv2d_problem const&,                                                            \
    std::type_identity_t<dwconv::backward_bias_tensors<T, GRADIENT>> const&,                  \
    dwconv::workspace const&, cudaStream_t, dwconv::update);                                  \
  KEYWORD template dwconv::status dwconv::run<T, GRADIENT>(                                   \
    dwconv::backward_bias_plan const&, dwconv::backward_bias_tensors<T, GRADIENT> const&,     \
    dwconv::workspace const&, cudaStream_t, dwconv::update);

#define DWCONV_TEST_BACKWARD_DOORS(KEYWORD, T) \
  DWCONV_TEST_DATA_DOORS(KEYWORD, T)           \
  DWCONV_TEST_SUM_DOORS(KEYWORD, T, T)         \
  DWCONV_TEST_SUM_DOORS(KEYWORD, T, float)

#ifndef DWCONV_TEST_DOORS_DEFINED
DWCONV_TEST_DATA_DOORS(extern, float)
DWCONV_TEST_SUM_DOORS(extern, float, float)
DWCONV_TEST_BACKWARD_DOORS(extern, double)
DWCONV_TEST_BACKWARD_DOORS(extern, __half)
DWCONV_TEST_BACKWARD_DOORS(extern, __nv_bfloat16)
#endif
