// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/problem/gradient_tensors.hpp>

namespace dwconv {

/// Everything the kernel that adds up splits is told, by value.
template <typename Sum, typename Gradient>
struct add_splits_params {
  Sum const* partial;  ///< Of each split, of each element, its sum.
  Gradient* gradient;
  std::int64_t elements;
  int splits;
  update how;
};

}  // namespace dwconv
