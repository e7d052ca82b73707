// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Brings a tile of x into shared memory as `toeplitz_stack` says, a unit of neighbouring elements
/// at a time.
template <typename T>
class toeplitz_stack_load {
 public:
  /// @param staged Where the tile's first staged element goes.
  __device__ toeplitz_stack_load(toeplitz_stack_params<T> const& p, toeplitz_position const& tile,
                                 T* staged)
    : p_{p}, tile_{tile}, staged_{staged}
  {
    auto const& f            = p.frame;
    std::int64_t const plane = static_cast<std::int64_t>(tile.image) * p.grid.channels + tile.channel;
    first_ = p.x + ((plane * f.input_height + tile.input_row) * f.input_width + tile.input_column);
  }

  /// After which the thread waits for its copies, and then for the block.
  __device__ void start()
  {
    switch (p_.unit) {
      case 8: copy<8>(); break;
      case 4: copy<4>(); break;
      case 2: copy<2>(); break;
      default: read(); break;
    }
    async_commit();
    if (tile_.input_columns % toeplitz_stack::half != 0) { clear_ends(); }
  }

 private:
  /// A unit's place in memory, null where the tile has none, and in shared memory.
  struct place {
    T const* from;
    T* to;
  };

  [[nodiscard]] __device__ place line_of(int line) const
  {
    int const plane   = p_.rows.quotient(line);
    int const row     = line - plane * p_.rows.divisor();
    int const image   = p_.channels.quotient(plane);
    int const channel = plane - image * p_.channels.divisor();
    if (row >= tile_.input_rows || image >= tile_.images || channel >= tile_.channels) {
      return {};
    }
    auto const& f     = p_.frame;
    auto const& s     = p_.stack;
    auto const planes = static_cast<std::int64_t>(image) * p_.grid.channels + channel;
    return {first_ + (planes * f.input_height + row) * f.input_width,
            staged_ + (channel * s.plane_pitch + image * s.image_pitch +
                       row * s.halves * toeplitz_stack::half)};
  }

  [[nodiscard]] __device__ place unit_at(int index) const
  {
    int const line   = p_.units.quotient(index);
    int const column = (index - line * p_.units.divisor()) * p_.unit;
    place at         = line_of(line);
    if (column >= tile_.input_columns) { at.from = nullptr; }
    return {at.from == nullptr ? nullptr : at.from + column, at.to + column};
  }

  [[nodiscard]] __device__ int lines() const
  {
    return p_.rows.divisor() * p_.channels.divisor() * p_.stack.tile.images;
  }

  template <int Unit>
  __device__ void copy()
  {
    int const count = lines() * p_.units.divisor();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      place const at = unit_at(i);
      if (at.from != nullptr) { async_copy<Unit * static_cast<int>(sizeof(T))>(at.to, at.from); }
    }
  }

  /// Single elements, through registers: as many on their way at a time.
  __device__ void read()
  {
    constexpr int at_once = 8;
    int const count       = lines() * p_.units.divisor();
    int const threads     = static_cast<int>(blockDim.x);
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < count; i += at_once * threads) {
      T* to[at_once];
      T value[at_once];
#pragma unroll
      for (int u = 0; u < at_once; ++u) {
        place const at = i + u * threads < count ? unit_at(i + u * threads) : place{};
        to[u]          = at.from != nullptr ? at.to : nullptr;
        value[u]       = at.from != nullptr ? load_read_only(at.from) : from_sum<T>(0.0f);
      }
#pragma unroll
      for (int u = 0; u < at_once; ++u) {
        if (to[u] != nullptr) { *to[u] = value[u]; }
      }
    }
  }

  /// Zeros behind the image's last column.
  __device__ void clear_ends()
  {
    constexpr int half = toeplitz_stack::half;
    int const end      = (tile_.input_columns + half - 1) / half * half;
    for (int i = static_cast<int>(threadIdx.x); i < lines(); i += static_cast<int>(blockDim.x)) {
      place const at = line_of(i);
      if (at.from == nullptr) { continue; }
      for (int c = tile_.input_columns; c < end; ++c) { at.to[c] = from_sum<T>(0.0f); }
    }
  }

  toeplitz_stack_params<T> const& p_;
  toeplitz_position const& tile_;
  T* staged_;
  T const* first_;
};

DWCONV_ABI_NAMESPACE_END
