// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// One axis of the gradient of a filter, seen as dense problems: tap t of output o lies over input
/// o * stride + t * dilation - pad.
///
/// With g = gcd(stride, dilation), take the taps of one *phase* modulo stride / g, and the outputs
/// of one modulo dilation / g. Then number a of the taps and number b of the outputs meet in
/// number a + b of the inputs that are `step` = lcm(stride, dilation) apart: as if nothing were
/// strided or dilated. Every pair of phases is one such problem.
struct gradient_axis {
  int input    = 1;
  int output   = 1;
  int taps     = 1;
  int stride   = 1;
  int dilation = 1;
  int pad      = 0;
  fast_divisor<std::int32_t> step{1};
  int taps_apart    = 1;  ///< Those of a phase,
  int outputs_apart = 1;  ///< and such outputs.
  int tap_phases    = 1;  ///< That have any.
  int output_phases = 1;
  int tile          = 1;                 ///< Taps of a phase that a block has, at most,
  int piece         = 1;                 ///< and outputs of a phase that are staged at a time.
  fast_divisor<std::int32_t> tiles{1};   ///< Of a phase.
  fast_divisor<std::int32_t> pieces{1};  ///< Of a phase.

  gradient_axis() = default;
  /// A stride matters only where there are two outputs, a dilation where there are two taps.
  constexpr gradient_axis(std::int64_t input_, std::int64_t output_, std::int64_t taps_,
                          std::int64_t stride_, std::int64_t dilation_, std::int64_t pad_,
                          int most_taps, int most_outputs) noexcept
    : input{static_cast<int>(input_)},
      output{static_cast<int>(output_)},
      taps{static_cast<int>(taps_)},
      pad{static_cast<int>(pad_)}
  {
    if (output_ == 1) { stride_ = taps_ == 1 ? 1 : dilation_; }
    if (taps_ == 1) { dilation_ = stride_; }
    std::int64_t const common = std::gcd(stride_, dilation_);
    stride                    = static_cast<int>(stride_);
    dilation                  = static_cast<int>(dilation_);
    taps_apart                = static_cast<int>(stride_ / common);
    outputs_apart             = static_cast<int>(dilation_ / common);
    step          = fast_divisor<std::int32_t>{static_cast<std::int32_t>(stride_ * outputs_apart)};
    tap_phases    = std::min(taps_apart, taps);
    output_phases = std::min(outputs_apart, output);
    tile          = std::min(most_taps, taps_of_phase());
    piece         = std::min(most_outputs, outputs_of_phase());
    tiles         = fast_divisor<std::int32_t>{divide_up(taps_of_phase(), tile)};
    pieces        = fast_divisor<std::int32_t>{divide_up(outputs_of_phase(), piece)};
  }

  /// Of the phases the most.
  [[nodiscard]] constexpr int taps_of_phase() const noexcept { return divide_up(taps, taps_apart); }
  [[nodiscard]] constexpr int outputs_of_phase() const noexcept
  {
    return divide_up(output, outputs_apart);
  }
  /// Inputs of a dense problem that a piece and a tile have to do with, at most.
  [[nodiscard]] constexpr int marks() const noexcept { return piece + tile - 1; }
  /// Those of them on the image, at most.
  [[nodiscard]] constexpr int marks_on_image() const noexcept
  {
    return std::min(marks(), divide_up(input, step.divisor()));
  }
  [[nodiscard]] constexpr int all_tiles() const noexcept { return tap_phases * tiles.divisor(); }
  [[nodiscard]] constexpr int all_pieces() const noexcept
  {
    return output_phases * pieces.divisor();
  }

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int divide_up(int value, int divisor) noexcept
  {
    return (value + divisor - 1) / divisor;
  }
};

/// Some taps of a phase: number a is tap `tap + a * taps_apart`.
struct gradient_tap_tile {
  int tap;
  int first;  ///< Number of the first within its phase.
  int count;  ///< May be less than one: phases differ in length.

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr gradient_tap_tile of(gradient_axis const& axis,
                                                                         int index) noexcept
  {
    int const phase = axis.tiles.quotient(index);
    gradient_tap_tile t{};
    t.first       = (index - phase * axis.tiles.divisor()) * axis.tile;
    t.tap         = phase + t.first * axis.taps_apart;
    int const all = axis.taps - t.tap;
    int const own = all > 0 ? gradient_axis::divide_up(all, axis.taps_apart) : 0;
    t.count       = own < axis.tile ? own : axis.tile;
    return t;
  }
};

/// Some outputs of a phase: number b is output `output + b * outputs_apart`. With number a of a
/// tile of taps it meets input `origin + (a + b) * step`, mark number a + b.
struct gradient_piece {
  int output;
  int count;  ///< May be less than one.
  int origin;
  int first;  ///< Mark on the image,
  int end;    ///< and one past the last; at most `first` where all is padding.

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr gradient_piece of(gradient_axis const& axis,
                                                                      gradient_tap_tile const& t,
                                                                      int index) noexcept
  {
    int const phase  = axis.pieces.quotient(index);
    int const number = (index - phase * axis.pieces.divisor()) * axis.piece;
    gradient_piece g{};
    g.output      = phase + number * axis.outputs_apart;
    int const all = axis.output - g.output;
    int const own = all > 0 ? gradient_axis::divide_up(all, axis.outputs_apart) : 0;
    g.count       = own < axis.piece ? own : axis.piece;
    g.origin      = g.output * axis.stride + t.tap * axis.dilation - axis.pad;
    g.first       = g.origin < 0 ? axis.step.quotient_up(-g.origin) : 0;
    g.end         = g.origin < axis.input ? axis.step.quotient_up(axis.input - g.origin) : 0;
    int const met = g.count + t.count - 1;
    if (met < g.end) { g.end = met; }
    return g;
  }
};

}  // namespace dwconv
