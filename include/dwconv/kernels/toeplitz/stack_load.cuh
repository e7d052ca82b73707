// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Brings a tile of x into shared memory as `toeplitz_stack` says, a unit of neighbouring elements
/// at a time.
template <typename T>
class toeplitz_stack_load {
 public:
  /// The tile's first staged element goes to `staged`.
  __device__ toeplitz_stack_load(toeplitz_stack_params<T> const& p, toeplitz_position const& tile,
                                 T* staged)
    : p_{p}, tile_{tile}, staged_{staged}
  {
    auto const& f = p.frame;
    std::int64_t const plane =
      static_cast<std::int64_t>(tile.image) * p.grid.channels + tile.channel;
    first_ = p.x + ((plane * f.input_height + tile.input_row) * f.input_width + tile.input_column);
  }

  /// After which the thread waits for its copies, and then for the block.
  __device__ void start()
  {
    switch (p_.unit) {
      case 8: deal_out<8>(); break;
      case 4: deal_out<4>(); break;
      case 2: deal_out<2>(); break;
      default: deal_out<1>(); break;
    }
    async_commit();
  }

 private:
  /// A unit's place in memory and in shared memory; null where the tile has no such row.
  struct place {
    T const* from;
    T* to;
  };

  [[nodiscard]] __device__ place line_at(int line) const
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

  /// A warp takes as many rows at a time as it has lanes for.
  template <int Unit>
  __device__ void deal_out()
  {
    constexpr int half = toeplitz_stack::half;
    int const units    = (tile_.input_columns + half - 1) / half * (half / Unit);
    if (units == 0) { return; }
    int const at_once = max(warp_lanes / units, 1);
    int const mine    = at_once > 1 ? lane_index() / units : 0;
    int const warps   = static_cast<int>(blockDim.x) / warp_lanes;
    int const lines =
      mine < at_once ? p_.rows.divisor() * p_.channels.divisor() * p_.stack.tile.images : 0;
    int const step  = warps * at_once;
    int const first = warp_index() * at_once + mine;
    for (int unit = lane_index() - mine * units; unit < units; unit += warp_lanes) {
      int const column = unit * Unit;
      bool const there = column < tile_.input_columns;  // else zeros, behind the last column
      if constexpr (Unit > 1) {
        for (int line = first; line < lines; line += step) { copy<Unit>(line, column, there); }
      } else {
        for (int line = first; line < lines; line += at_a_time * step) {
          read(line, step, lines, column, there);
        }
      }
    }
  }

  template <int Unit>
  __device__ void copy(int line, int column, bool there)
  {
    constexpr int bytes = Unit * static_cast<int>(sizeof(T));
    place const at      = line_at(line);
    if (at.to != nullptr) {
      async_copy<bytes>(at.to + column, there ? at.from + column : first_, there ? bytes : 0);
    }
  }

  /// Single elements of some rows, through registers: on their way together.
  __device__ void read(int line, int step, int lines, int column, bool there)
  {
    T* to[at_a_time];
    T value[at_a_time];
#pragma unroll
    for (int u = 0; u < at_a_time; ++u) {
      place const at = line + u * step < lines ? line_at(line + u * step) : place{};
      to[u]          = at.to;
      value[u] = at.to != nullptr && there ? load_read_only(at.from + column) : from_sum<T>(0.0f);
    }
#pragma unroll
    for (int u = 0; u < at_a_time; ++u) {
      if (to[u] != nullptr) { to[u][column] = value[u]; }
    }
  }

  static constexpr int at_a_time = 4;

  toeplitz_stack_params<T> const& p_;
  toeplitz_position const& tile_;
  T* staged_;
  T const* first_;
};

DWCONV_ABI_NAMESPACE_END
