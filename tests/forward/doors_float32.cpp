// SPDX-License-Identifier: Apache-2.0
#define DWCONV_TEST_DOORS_DEFINED
#include "backward/doors.hpp"
#include "forward/doors.hpp"

DWCONV_TEST_DOORS(, float)
DWCONV_TEST_DATA_DOORS(, float)
DWCONV_TEST_SUM_DOORS(, float, float)
