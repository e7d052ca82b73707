// SPDX-License-Identifier: Apache-2.0
#if defined(MUST_FAIL)
#include <dwconv/dwconv.cuh>
#else
#include <dwconv/plan/planner.hpp>
#endif
