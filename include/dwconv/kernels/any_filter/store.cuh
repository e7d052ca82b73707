// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/kernels/any_filter/params.hpp>
#include <dwconv/kernels/any_filter/tile.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Gives the sums of a tile, as they lie in shared memory, to the epilogue and stores what it
/// returns. Neighbouring threads have neighbouring outputs, which suits an epilogue that reads too.
template <typename Config, typename Epilogue>
struct any_filter_store {
  using T   = typename Config::element_type;
  using sum = typename Config::sum;

  typename Config::params const& p;
  any_filter_tile const& t;
  sum const* area;
  Epilogue const& epilogue;

  /// A thread keeps to its column and walks down the rows.
  __device__ void all() const
  {
    if (p.tile_planes.divisor() == 1 && p.tile.rows == 1) {
      one_row();
      return;
    }
    int const start = p.stores.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane  = static_cast<int>(threadIdx.x) - start * p.stores.lanes.divisor();
    if (start >= p.stores.rows) { return; }
    for (int column = lane; column < t.columns; column += p.stores.lanes.divisor()) {
      if (p.tile_planes.divisor() == 1) {
        one_plane(start, column);
      } else {
        many_planes(start, column);
      }
    }
  }

 private:
  __device__ void one_row() const
  {
    int const first = t.column + static_cast<int>(threadIdx.x);
    int const plane = t.image * p.channels + t.channel;
    output_coordinate at{
      t.image, t.channel, t.row, first,
      static_cast<std::int64_t>(plane) * p.output_plane + (t.row * p.columns.output + first)};
    int const step = static_cast<int>(blockDim.x);
#pragma unroll 4
    for (int column = static_cast<int>(threadIdx.x); column < t.columns; column += step) {
      p.y[at.offset] = from_sum<T>(static_cast<sum>(epilogue(area[column], at)));
      at.column += step;
      at.offset += step;
    }
  }

  __device__ void one_plane(int start, int column) const
  {
    if (start >= t.rows) { return; }
    int const plane  = t.image * p.channels + t.channel;
    int const width  = p.columns.output;
    int const inside = (t.row + start) * width + t.column + column;
    output_coordinate at{t.image, t.channel, t.row + start, t.column + column,
                         static_cast<std::int64_t>(plane) * p.output_plane + inside};
    sum const* from = area + start * p.tile.columns + column;
#pragma unroll 4
    for (int row = start; row < t.rows; row += p.stores.rows) {
      p.y[at.offset] = from_sum<T>(static_cast<sum>(epilogue(*from, at)));
      at.row += p.stores.rows;
      at.offset += static_cast<std::int64_t>(p.stores.rows) * width;
      from += p.stores.rows * p.tile.columns;
    }
  }

  __device__ void many_planes(int start, int column) const
  {
    int const lines = p.tile_planes.divisor() * p.tile.rows;
#pragma unroll 4
    for (int line = start; line < lines; line += p.stores.rows) {
      int const staged  = p.tile_rows.quotient(line);
      int const row     = line - staged * p.tile.rows;
      int const image   = p.tile_channels.quotient(staged);
      int const channel = staged - image * p.tile.channels;
      if (row < t.rows && image < t.images && channel < t.channels) {
        int const plane  = (t.image + image) * p.channels + t.channel + channel;
        int const inside = (t.row + row) * p.columns.output + t.column + column;
        output_coordinate const at{t.image + image, t.channel + channel, t.row + row,
                                   t.column + column,
                                   static_cast<std::int64_t>(plane) * p.output_plane + inside};
        p.y[at.offset] =
          from_sum<T>(static_cast<sum>(epilogue(area[line * p.tile.columns + column], at)));
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
