// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Where in its tile a slot lies: a block of 8 columns of some neighbouring rows of an image.
struct toeplitz_slot {
  int image;
  int row;     ///< First output row,
  int rows;    ///< of so many; none where there is no such slot.
  int column;  ///< First output column.

  [[nodiscard]] static __device__ toeplitz_slot of(toeplitz_grid const& n,
                                                   toeplitz_position const& t, int index,
                                                   int rows_per_slot)
  {
    int const line = n.blocks.quotient(index);
    int const run  = n.images.quotient(line);
    toeplitz_slot s{};
    s.image  = line - run * n.images.divisor();
    s.row    = run * rows_per_slot;
    s.rows   = min(rows_per_slot, t.rows - s.row);
    s.column = (index - line * n.blocks.divisor()) * toeplitz_block;
    if (index >= n.slots || s.image >= t.images || s.column >= t.columns) { s.rows = 0; }
    return s;
  }
};

/// A lane's two of the 16 windows of x that a matrix product takes in, walking down staged rows.
///
/// Whatever lies outside the image is never looked at as a number: rows are not read, columns are
/// masked.
template <typename T, int Chunks, bool Realign>
class toeplitz_windows {
 public:
  /// Slot `which` (0 or 1) of the lane. `staged` is the image's first staged element of the
  /// channel.
  __device__ void place(int which, T const* area, T const* staged, toeplitz_layout const& g,
                        toeplitz_position const& t, tile_frame const& f, toeplitz_slot const& s,
                        int lead)
  {
    int const k = 2 * (lane_index() % 4);
    int const column =
      (t.column + s.column) * f.stride_width - f.pad_left - lead - t.input_column + k;
    int const row = (t.row + s.row) * f.stride_height - f.pad_top - t.input_row;
    // An unsigned row is below `rows_` exactly when it was staged.
    row_[which]   = s.rows > 0 ? row : -far_away;
    place_[which] = static_cast<int>(staged - area) + row * g.row_pitch + column;
#pragma unroll
    for (int i = 0; i < 2 * Chunks; ++i) {
      int const c     = column + i * toeplitz_depth / 2;
      auto const last = static_cast<unsigned>(t.input_columns);
      mask_[which][i] = (static_cast<unsigned>(c) < last ? 0x0000ffffu : 0u) |
                        (static_cast<unsigned>(c + 1) < last ? 0xffff0000u : 0u);
    }
    area_  = area;
    rows_  = static_cast<unsigned>(t.input_rows);
    pitch_ = g.row_pitch;
  }

  /// Steps down `rows` rows.
  __device__ void descend(int rows)
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      row_[s] += rows;
      place_[s] += rows * pitch_;
    }
  }

  /// The windows in the row `ahead` of the current one, columns 16 * c on.
  [[nodiscard]] __device__ mma_left at(int ahead, int c) const
  {
    mma_left a;
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      a.r[s] = a.r[s + 2] = 0;
      if (static_cast<unsigned>(row_[s] + ahead) < rows_) {
        int const place = place_[s] + ahead * pitch_ + toeplitz_depth * c;
        a.r[s]          = pair(place) & mask_[s][2 * c];
        a.r[s + 2]      = pair(place + toeplitz_depth / 2) & mask_[s][2 * c + 1];
      }
    }
    return a;
  }

 private:
  static constexpr int far_away = 1 << 30;

  [[nodiscard]] __device__ std::uint32_t pair(int place) const
  {
    if constexpr (Realign) {
      T const* const word = area_ + (place & ~1);
      return funnel_pair(load_pair(word), load_pair(word + 2), (place & 1) * 16);
    } else {
      return load_pair(area_ + place);
    }
  }

  T const* area_;
  unsigned rows_;
  int pitch_;
  int row_[2];
  int place_[2];
  std::uint32_t mask_[2][2 * Chunks];
};

DWCONV_ABI_NAMESPACE_END
