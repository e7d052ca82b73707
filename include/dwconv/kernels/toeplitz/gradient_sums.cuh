// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/mma.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/gradient_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Where a lane reads its row of a matrix from, a row of the image after the other; in bytes of the
/// block's shared memory. Where there is nothing it reads zeros, the same ones in every row.
class gradient_lane {
 public:
  __device__ void place(bool here, int offset, int pitch, int zeros)
  {
    offset_ = here ? offset : zeros;
    pitch_  = here ? pitch : 0;
  }
  __device__ void begin(int area) { at_ = offset_ + (pitch_ != 0 ? area : 0); }
  [[nodiscard]] __device__ void const* at() const
  {
    return dynamic_shared_memory<unsigned char>() + at_;
  }
  __device__ void next() { at_ += pitch_; }

 private:
  int at_     = 0;
  int offset_ = 0;
  int pitch_  = 0;
};

/// Where a warp's lanes read: a row of 16 slots, of dy and of each half of x.
template <typename T, int Halves>
struct gradient_lanes {
  static constexpr int pairs = Halves / 2;
  gradient_lane
    both[pairs > 0 ? pairs : 1];  ///< Of two halves: 8 slots, the same, 8 more, the same.
  gradient_lane last;             ///< The last half: 8 slots, 8 more; and dy as well.

  /// For the chunks of a unit; at `zeros` lies a piece of zeros.
  __device__ void place(toeplitz_gradient_params<T> const& p, gradient_item const& item,
                        gradient_note const& c, int zeros)
  {
    int const lane     = lane_index();
    int const matrix   = lane / 8;
    int const x_block  = item.staged_block(p, c.block);
    int const dy_begin = p.way == gradient_way::as_copied ? p.dy.copied : p.dy.laid_out;
    auto const x_at    = [&](gradient_lane& to, int slot, int beside) {
      int const image = p.block_columns.quotient(slot);
      int const own   = c.block + slot - image * p.block_columns.divisor();
      int const block = own + item.first_block + beside;
      bool const here =
        image < c.images() && own < p.dy.blocks && block >= x_block && block < p.x.blocks;
      to.place(here, image * p.x.image_pitch + (block - x_block) * copy_bytes, p.x.row_pitch,
                  zeros);
    };
#pragma unroll
    for (int i = 0; i < pairs; ++i) {
      x_at(both[i], lane % 8 + matrix / 2 * 8, 2 * i + matrix % 2);
    }
    int const slot = lane % 8 + matrix % 2 * 8;
    if (matrix < 2) {
      x_at(last, slot, Halves - 1);
    } else {
      int const image = p.block_columns.quotient(slot);
      int const block = slot - image * p.block_columns.divisor();
      bool const here = image < c.images() && c.block + block < p.dy.blocks;
      last.place(here, dy_begin + image * p.dy.image_pitch + block * copy_bytes, p.dy.row_pitch,
                 zeros);
    }
  }

  /// @param area Where a chunk lies.
  __device__ void begin(int area)
  {
#pragma unroll
    for (int i = 0; i < pairs; ++i) { both[i].begin(area); }
    last.begin(area);
  }
};

/// A warp's sums. For each filter row and each half, 8 by 8 of them: column i of the half's block
/// of x times column j of the block of dy, over all slots and rows. What the taps are sums of lies
/// on diagonals.
template <typename T, int Rows, int Halves>
class gradient_sums {
 public:
  static_assert(Halves % 2 == 1);
  static constexpr int pairs      = Halves / 2;
  static constexpr int held_pairs = pairs > 0 ? pairs : 1;  ///< There are no empty arrays.
  /// Rows of dy that are kept: those the sums of two rows of x need.
  static constexpr int kept = (Rows + 1) / 2 * 2;

  /// A step before the first row of x.
  __device__ void lead(gradient_lanes<T, Halves>& lanes, bool has_dy)
  {
    std::uint32_t read[4];
    load_matrices_transposed<4>(read, lanes.last.at());
    push(has_dy ? read[2] : 0u, has_dy ? read[3] : 0u);
    if (lane_index() >= 16) { lanes.last.next(); }
  }

  /// A row of x and, unless that is past the unit, one of dy.
  __device__ void step(gradient_lanes<T, Halves>& lanes, bool has_dy)
  {
    std::uint32_t read[4];
    mma_left left[held_pairs];
    load_matrices_transposed<4>(read, lanes.last.at());
    lanes.last.next();
#pragma unroll
    for (int i = 0; i < pairs; ++i) {
      load_matrices_transposed<4>(left[i].r, lanes.both[i].at());
      lanes.both[i].next();
    }
    push(has_dy ? read[2] : 0u, has_dy ? read[3] : 0u);
#pragma unroll
    for (int i = 0; i < pairs; ++i) {
#pragma unroll
      for (int row = 0; row < Rows; ++row) {
        mma_m16n8k16<T>(both_[row][i], left[i], window_[row]);
      }
    }
    multiply_last(read[0], read[1]);
  }

  /// After a unit's last step: what is left of its last row of x. Then nothing is kept.
  __device__ void finish()
  {
    push(0u, 0u);
    multiply_last(0u, 0u);
#pragma unroll
    for (int i = 0; i < kept; ++i) { window_[i] = {}; }
  }

  /// Leaves the sums in shared memory: by filter row, half, column of x and column of dy.
  __device__ void store(float* to) const
  {
    int const at   = lane_index() / 4 * gradient_block + lane_index() % 4 * 2;
    auto const put = [&](int row, int block, float first, float second) {
      float* const of_block = to + (row * Halves + block) * (gradient_block * gradient_block) + at;
      of_block[0]           = first;
      of_block[1]           = second;
    };
#pragma unroll
    for (int row = 0; row < Rows; ++row) {
#pragma unroll
      for (int i = 0; i < pairs; ++i) {
        auto const& s = both_[row][i].r;
        put(row, 2 * i, s[0], s[1]);
        put(row, 2 * i + 1, s[2], s[3]);
      }
      auto const& s = last_[row / 2].r;
      put(row, Halves - 1, s[row % 2 * 2], s[row % 2 * 2 + 1]);
    }
  }

 private:
  __device__ void push(std::uint32_t low, std::uint32_t high)
  {
#pragma unroll
    for (int i = kept - 1; i > 0; --i) { window_[i] = window_[i - 1]; }
    window_[0] = {{low, high}};
  }

  /// The last half stands alone, so two rows of x share a product: with one row of dy this row
  /// meets an odd row of the filter, and the one before it the even row above.
  __device__ void multiply_last(std::uint32_t low, std::uint32_t high)
  {
    mma_left const left{{before_[0], low, before_[1], high}};
#pragma unroll
    for (int i = 0; i < kept / 2; ++i) { mma_m16n8k16<T>(last_[i], left, window_[2 * i + 1]); }
    before_[0] = low;
    before_[1] = high;
  }

  mma_sums both_[Rows][held_pairs] = {};
  mma_sums last_[kept / 2]         = {};
  mma_right window_[kept]          = {};
  std::uint32_t before_[2]         = {};
};

DWCONV_ABI_NAMESPACE_END
