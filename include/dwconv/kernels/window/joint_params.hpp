// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/kernels/window/filter_params.hpp>
#include <dwconv/kernels/window/joint_policy.hpp>

namespace dwconv {

/// Everything the window kernel of both gradients is told, by value: what that of backward_filter
/// is, for windows of columns of x, and the filter and dx.
template <typename T, typename Sum>
struct window_joint_params : window_filter_params<T, Sum> {
  T const* filter;
  T* dx;
  bool alike;  ///< dx lies as far from a 16-byte boundary as x.

  window_joint_params(conv2d_problem const& p, T const* x_, T const* dy_, T const* filter_, T* dx_,
                      Sum* partial_, window_filter_policy const& policy)
    : window_filter_params<T, Sum>{p, x_, dy_, partial_, policy},
      filter{filter_},
      dx{dx_},
      alike{reinterpret_cast<std::uintptr_t>(x_) % copy_bytes ==
            reinterpret_cast<std::uintptr_t>(dx_) % copy_bytes}
  {
    window_joint_layout const at{p, policy, static_cast<int>(sizeof(T))};
    window_joint_splits const of{p, policy};
    int const of_thread = window_filter_columns(p.filter, static_cast<int>(sizeof(T)));

    this->of_x.pitch   = static_cast<int>(at.x_pitch);
    this->of_x.run     = static_cast<int>(at.x_run);
    this->of_x.size    = static_cast<int>(at.x_size);
    this->of_dy.pitch  = static_cast<int>(at.dy_pitch);
    this->of_dy.run    = static_cast<int>(at.dy_run);
    this->of_dy.size   = static_cast<int>(at.dy_size);
    this->slack        = at.slack;
    this->whole_planes = at.whole_planes;
    this->whole_rows   = at.whole_rows;
    this->images_apart = at.whole_rows ? 1 : 0;
    this->across       = divisor(geometry::divide_up(policy.columns, of_thread));
    this->windows      = divisor(of.windows);
    this->strips       = divisor(of.strips);
    this->groups       = divisor(of.groups);
  }

 private:
  [[nodiscard]] static fast_divisor<std::int32_t> divisor(std::int64_t value)
  {
    return fast_divisor<std::int32_t>{static_cast<std::int32_t>(value)};
  }
};

}  // namespace dwconv
