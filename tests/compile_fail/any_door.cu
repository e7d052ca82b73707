// SPDX-License-Identifier: Apache-2.0
#include <dwconv/forward.cuh>
