// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/toeplitz/group_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// 16 bytes of elements, to be moved at once.
struct __attribute__((aligned(16), may_alias)) toeplitz_group_unit {
  std::uint32_t words[4];
};

/// Brings rows of x into shared memory as `toeplitz_group` says.
template <typename T>
class toeplitz_group_load {
 public:
  __device__ toeplitz_group_load(toeplitz_group_params<T> const& p,
                                 toeplitz_group_position const& tile, T* staged)
    : p_{p}, tile_{tile}, staged_{staged}
  {
    mine_ = place_of(static_cast<int>(threadIdx.x));
  }

  /// Zeros in all stages, of which what lies beside the image stays; the block synchronises after
  /// it.
  __device__ void clear() const
  {
    auto* const units = reinterpret_cast<toeplitz_group_unit*>(staged_);
    for (int i = static_cast<int>(threadIdx.x); i < p_.group.staged;
         i += static_cast<int>(blockDim.x)) {
      units[i] = toeplitz_group_unit{};
    }
  }

  /// Starts to bring the rows of a stage, the one of so many that begins at `step`, as one group of
  /// copies; none behind the last step.
  __device__ void start(int stage, int step) const
  {
    if (step < tile_.steps.end) {
      T* const to =
        staged_ + stage * (toeplitz_group_stage * toeplitz_group::unit) * p_.group.row_pitch;
      switch (p_.unit) {
        case 8: deal_out<8>(to, step); break;
        case 4: deal_out<4>(to, step); break;
        case 2: deal_out<2>(to, step); break;
        default: deal_out<1>(to, step); break;
      }
    }
    async_commit();
  }

 private:
  /// Where a unit of an image's rows lies at step 0, and at a stage's first row.
  struct place {
    T const* from;
    int to;     ///< From the stage's first element on; negative where there is no such unit.
    int first;  ///< Step of the first row that is on the image,
    int count;  ///< and so many rows.
  };

  [[nodiscard]] __device__ place place_of(int index) const
  {
    auto const& f            = p_.frame;
    auto const& g            = p_.group;
    int const slot           = p_.parts.quotient(index);
    int const column         = (index - slot * p_.parts.divisor()) * p_.unit;
    int const run            = p_.images.quotient(slot);
    int const image          = slot - run * p_.images.divisor();
    int const at             = tile_.input_column + column;
    int const unit           = at / toeplitz_group::unit - tile_.origin;
    int const placed         = g.images() < 8 ? slot : slot / 8 * g.eight_pitch + slot % 8;
    int const row            = tile_.row + run * g.rows - f.pad_top;
    std::int64_t const plane = static_cast<std::int64_t>(tile_.image + image) * p_.input_channels +
                               f.plane_of_x.quotient(tile_.channel);
    place found{};
    found.first = max(0, -row);
    found.count = max(0, min(tile_.steps.end, f.input_height - row) - found.first);
    found.from  = p_.x + ((plane * f.input_height + row) * f.input_width + at);
    found.to    = (unit * g.unit_pitch + placed) * toeplitz_group::unit + at % toeplitz_group::unit;
    if (column >= tile_.input_columns || image >= tile_.images || run >= g.runs) { found.to = -1; }
    return found;
  }

  template <int Unit>
  __device__ void deal_out(T* to, int step) const
  {
    int const count = p_.parts.divisor() * p_.group.images();
    if (mine_.to >= 0) { bring<Unit>(mine_, to, step); }
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x + blockDim.x); i < count;
         i += static_cast<int>(blockDim.x)) {
      place const at = place_of(i);
      if (at.to >= 0) { bring<Unit>(at, to, step); }
    }
  }

  /// One unit of each row of a stage.
  template <int Unit>
  __device__ void bring(place const& at, T* to, int step) const
  {
    int const width = p_.frame.input_width;
    T* into         = to + at.to;
    T const* from   = at.from + static_cast<std::int64_t>(step) * width;
    T taps[toeplitz_group_stage];
#pragma unroll
    for (int r = 0; r < toeplitz_group_stage; ++r) {
      bool const there =
        static_cast<unsigned>(step + r - at.first) < static_cast<unsigned>(at.count);
      if constexpr (Unit > 1) {
        constexpr int bytes = Unit * static_cast<int>(sizeof(T));
        async_copy<bytes>(into, there ? from : p_.x, there ? bytes : 0);
        into += p_.group.row_pitch * toeplitz_group::unit;
      } else {
        taps[r] = there ? load_read_only(from) : from_sum<T>(0.0f);
      }
      from += width;
    }
    if constexpr (Unit == 1) {
#pragma unroll
      for (int r = 0; r < toeplitz_group_stage; ++r) {
        into[r * p_.group.row_pitch * toeplitz_group::unit] = taps[r];
      }
    }
  }

  toeplitz_group_params<T> const& p_;
  toeplitz_group_position const& tile_;
  T* staged_;
  place mine_;
};

/// Writes a filter with zeros on both sides of each row: tap 0 is element 7 + lead.
template <typename T>
__device__ void toeplitz_group_widen(T* raw, T const* filter, toeplitz_group const& g, int height,
                                     int width, bool turned)
{
  // On their way together: one by one, each would wait for memory.
  constexpr int at_once = 8, lanes = 64;
  int const threads = static_cast<int>(blockDim.x);
  int const stride  = threads / lanes;
  for (int i = static_cast<int>(threadIdx.x) % lanes; i < g.raw_pitch; i += lanes) {
    int const kw  = i - (toeplitz_block - 1) - g.lead;
    bool const in = kw >= 0 && kw < width;
#pragma unroll 1
    for (int first = static_cast<int>(threadIdx.x) / lanes; first < height;
         first += at_once * stride) {
      T taps[at_once];
#pragma unroll
      for (int u = 0; u < at_once; ++u) {
        int const kh  = first + u * stride;
        int const tap = kh * width + kw;
        taps[u]       = from_sum<T>(0.0f);
        if (in && kh < height) {
          taps[u] = load_read_only(filter + (turned ? height * width - 1 - tap : tap));
        }
      }
#pragma unroll
      for (int u = 0; u < at_once; ++u) {
        int const kh = first + u * stride;
        if (kh < height) { raw[kh * g.raw_pitch + i] = taps[u]; }
      }
    }
  }
}

/// Writes the banded matrices of a filter: of unit k of a window and a filter row, column j is
/// 8 elements w[8 * k + . - j - lead].
template <typename T>
__device__ void toeplitz_group_extend(T* area, T const* raw, toeplitz_group const& g, int height,
                                      bool upwards)
{
  int const j      = static_cast<int>(threadIdx.x) % toeplitz_block;
  int const stride = static_cast<int>(blockDim.x) / toeplitz_block;
  int const first  = toeplitz_block - 1 - j;
  int const by     = first % 2 == 0 ? 0 : 16;
#pragma unroll 1
  for (int row = static_cast<int>(threadIdx.x) / toeplitz_block; row < g.filter_rows;
       row += stride) {
    int const kh     = upwards ? row - g.zero_rows : height - 1 - (row - g.zero_rows);
    bool const there = kh >= 0 && kh < height;
    T const* taps    = raw + (there ? kh * g.raw_pitch : 0) + first / 2 * 2;
    auto* to = reinterpret_cast<toeplitz_group_unit*>(area) + row * toeplitz_group::unit + j;
#pragma unroll 2
    for (int k = 0; k < g.kept; ++k) {
      toeplitz_group_unit unit{};
      if (there) {
        std::uint32_t words[5];
#pragma unroll
        for (int i = 0; i < 5; ++i) { words[i] = load_pair(taps + 2 * i); }
#pragma unroll
        for (int i = 0; i < 4; ++i) { unit.words[i] = funnel_pair(words[i], words[i + 1], by); }
      }
      *to = unit;
      taps += toeplitz_group::unit;
      to += g.filter_rows * toeplitz_group::unit;
    }
  }
}

DWCONV_ABI_NAMESPACE_END
