// SPDX-License-Identifier: Apache-2.0
#define DWCONV_TEST_DOORS_DEFINED
#include "backward/doors.hpp"
#include "forward/doors.hpp"

DWCONV_TEST_DOORS(, __nv_bfloat16)
DWCONV_TEST_BACKWARD_DOORS(, __nv_bfloat16)
