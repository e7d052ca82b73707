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

/// How words of two elements are read from rows of windows.
enum class toeplitz_reads {
  words,      ///< Windows begin at even addresses in all rows.
  in_turn,    ///< They begin one column early where else they would begin at an odd address, which
              ///< is so in all rows or in every second, for all slots alike; the filter is shifted.
  realigned,  ///< They begin anywhere: each word is put together from two.
};

/// Columns by which windows begin early: in a walk's first row, and in its second. The others take
/// turns.
struct toeplitz_early {
  int row[2];
};

/// A lane's two of the 16 windows of x that a matrix product takes in, walking down staged rows.
///
/// Whatever lies outside the image is never looked at as a number: rows are not read, columns are
/// masked.
template <typename T, int Chunks, toeplitz_reads Reads>
class toeplitz_windows {
 public:
  /// Rows in which windows begin differently.
  static constexpr int kinds = Reads == toeplitz_reads::in_turn ? 2 : 1;

  /// Rows that `at` may look ahead.
  static constexpr int most_ahead = 31;

  /// Slot `which` (0 or 1) of the lane. `staged` is the first staged element of its plane.
  __device__ void place(int which, T const* staged, toeplitz_layout const& g,
                        toeplitz_position const& t, tile_frame const& f, toeplitz_slot const& s,
                        int lead, toeplitz_early const& early)
  {
    int const row    = (t.row + s.row) * f.stride_height - f.pad_top - t.input_row;
    int const column = (t.column + s.column) * f.stride_width - f.pad_left - lead - t.input_column +
                       2 * (lane_index() % 4);
    rows_        = t.input_rows;
    pitch_       = g.row_pitch;
    row_[which]  = s.rows > 0 ? row : rows_;
    from_[which] = staged + (row * pitch_ + column);
    look(which);
#pragma unroll
    for (int k = 0; k < kinds; ++k) {
      early_[k] = kinds > 1 ? early.row[k] : 0;
#pragma unroll
      for (int i = 0; i < 2 * Chunks; ++i) {
        int const c        = column - early_[k] + i * toeplitz_depth / 2;
        auto const last    = static_cast<unsigned>(t.input_columns);
        mask_[k][which][i] = (static_cast<unsigned>(c) < last ? 0x0000ffffu : 0u) |
                             (static_cast<unsigned>(c + 1) < last ? 0xffff0000u : 0u);
      }
    }
  }

  /// Goes to the next row, which was one ahead.
  __device__ void step()
  {
    from_[0] += pitch_;
    from_[1] += pitch_;
  }

  /// Begins to count rows ahead anew, after `rows` steps.
  __device__ void settle(int rows)
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      row_[s] += rows;
      look(s);
    }
  }

  /// Skips rows.
  __device__ void skip(int rows)
  {
    from_[0] += rows * pitch_;
    from_[1] += rows * pitch_;
    settle(rows);
  }

  /// The windows in the current row, from column 16 * c on; `ahead` rows were stepped since they
  /// were counted.
  [[nodiscard]] __device__ mma_left at(int ahead, int c) const
  {
    int const k = ahead % kinds;
    mma_left a;
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      a.r[s] = a.r[s + 2] = 0;
      if ((staged_[s] >> ahead & 1u) != 0) {
        T const* const from = from_[s] + (toeplitz_depth * c - early_[k]);
        a.r[s]              = pair(from) & mask_[k][s][2 * c];
        a.r[s + 2]          = pair(from + toeplitz_depth / 2) & mask_[k][s][2 * c + 1];
      }
    }
    return a;
  }

 private:
  /// Bit i of `staged_` says whether the row i ahead was staged.
  __device__ void look(int s)
  {
    int const first = min(max(-row_[s], 0), most_ahead);
    int const end   = min(max(rows_ - row_[s], 0), most_ahead);
    staged_[s]      = ((1u << end) - 1u) & (~0u << first);
  }

  [[nodiscard]] static __device__ std::uint32_t pair(T const* from)
  {
    if constexpr (Reads == toeplitz_reads::realigned) {
      auto const odd = static_cast<int>(reinterpret_cast<std::uintptr_t>(from) / sizeof(T) % 2);
      T const* const word = from - odd;
      return funnel_pair(load_pair(word), load_pair(word + 2), odd * 16);
    } else {
      return load_pair(from);
    }
  }

  int rows_;
  int pitch_;
  int row_[2];
  T const* from_[2];
  unsigned staged_[2];
  int early_[kinds];
  std::uint32_t mask_[kinds][2][2 * Chunks];
};

DWCONV_ABI_NAMESPACE_END
