// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// One axis of a dilated, strided filter, seen as lattices without holes.
///
/// With unit = gcd(stride, dilation), only every unit-th input counts, from the one under the first
/// tap of a tile's first output on. Counted in those *marks*, outputs are `step` = stride / unit
/// apart and taps `phases` = dilation / unit. Marks that are equal modulo `phases` make a lattice;
/// on it taps are neighbours. Outputs `phases` apart share a lattice, and there are `step` of its
/// elements from one of them to the next: for stride 1 they overlap as if nothing were dilated.
struct lattice_axis {
  int input  = 1;
  int output = 1;
  int taps   = 1;
  int pad    = 0;   ///< Before the image.
  int step   = 1;   ///< Lattice elements from one output to the next, marks from an output's first
                    ///< to its neighbour's.
  int outputs = 1;  ///< Of a row (or column) of one tile.
  fast_divisor<std::int32_t> unit{1};
  fast_divisor<std::int32_t> phases{1};

  lattice_axis() = default;
  /// A stride between outputs matters only where there are two, a dilation where there are two
  /// taps: whatever does not matter is set to what makes the lattice simplest.
  constexpr lattice_axis(std::int64_t input_, std::int64_t output_, std::int64_t taps_,
                         std::int64_t stride, std::int64_t dilation, std::int64_t pad_,
                         int outputs_) noexcept
    : input{static_cast<int>(input_)},
      output{static_cast<int>(output_)},
      taps{static_cast<int>(taps_)},
      pad{static_cast<int>(pad_)},
      outputs{outputs_}
  {
    if (output_ == 1) { stride = taps_ == 1 ? 1 : dilation; }
    if (taps_ == 1) { dilation = stride; }
    std::int64_t const common = std::gcd(stride, dilation);
    step                      = static_cast<int>(stride / common);
    unit                      = fast_divisor<std::int32_t>{static_cast<std::int32_t>(common)};
    phases = fast_divisor<std::int32_t>{static_cast<std::int32_t>(dilation / common)};
  }

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int stride() const noexcept
  {
    return step * unit.divisor();
  }

  /// Marks under a tile: from its first output's first tap to its last output's last.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int marks() const noexcept
  {
    return (outputs - 1) * step + (taps - 1) * phases.divisor() + 1;
  }

  [[nodiscard]] constexpr std::int64_t tiles() const noexcept
  {
    return (output + std::int64_t{outputs} - 1) / outputs;
  }

  /// Threads that a tile needs along the axis, each with at most `most` outputs, all on one
  /// lattice: groups of the lattices there are.
  [[nodiscard]] constexpr int pieces(int most) const noexcept
  {
    std::int64_t const group = std::int64_t{most} * phases.divisor();
    return static_cast<int>((outputs + group - 1) / group * lattices());
  }

  /// Lattices that a tile's outputs lie on.
  [[nodiscard]] constexpr int lattices() const noexcept
  {
    return std::min(phases.divisor(), outputs);
  }
};

/// The part of one tile that is on the image, in marks.
struct lattice_window {
  int origin;  ///< Input element of mark 0.
  int first;   ///< First mark on the image.
  int end;     ///< One past the last; at most `first` where all is padding.

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr lattice_window of(lattice_axis const& axis,
                                                                      int first_output) noexcept
  {
    lattice_window w{first_output * axis.stride() - axis.pad, 0, axis.marks()};
    if (w.origin < 0) { w.first = axis.unit.quotient_up(-w.origin); }
    int const left = w.origin < axis.input ? axis.unit.quotient_up(axis.input - w.origin) : 0;
    if (left < w.end) { w.end = left; }
    return w;
  }
};

}  // namespace dwconv
