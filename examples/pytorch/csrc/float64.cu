// SPDX-License-Identifier: Apache-2.0
#include "element_calls.cuh"

namespace {
dwconv_torch::registered_calls const known = dwconv_torch::registered<double>();
}
