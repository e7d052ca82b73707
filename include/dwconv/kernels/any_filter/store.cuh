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

  /// A thread keeps to its column and walks down the rows, or to its place in the planes and walks
  /// over them.
  __device__ void all() const
  {
    if (p.tile_planes.divisor() == 1 && p.tile.rows == 1) {
      one_row();
      return;
    }
    int const start = p.stores.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane  = static_cast<int>(threadIdx.x) - start * p.stores.lanes.divisor();
    if (start >= p.stores.rows) { return; }
    if (p.tile_planes.divisor() == 1) {
      if (start >= t.rows) { return; }
      int const count = (t.rows - start + p.stores.rows - 1) / p.stores.rows;
      for (int column = lane; column < t.columns; column += p.stores.lanes.divisor()) {
        one_plane(start, column, count);
      }
    } else {
      many_planes(start, lane);
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
    int const step  = static_cast<int>(blockDim.x);
    sum const* from = area + static_cast<int>(threadIdx.x);
    // Counted down, here and below: loops of an unknown step are unrolled by way of a division.
    int const left = t.columns - static_cast<int>(threadIdx.x);
#pragma unroll 4
    for (int count = left > 0 ? (left + step - 1) / step : 0; count > 0; --count) {
      p.y[at.offset] = from_sum<T>(static_cast<sum>(epilogue(*from, at)));
      at.column += step;
      at.offset += step;
      from += step;
    }
  }

  __device__ void one_plane(int start, int column, int count) const
  {
    int const plane  = t.image * p.channels + t.channel;
    int const width  = p.columns.output;
    int const inside = (t.row + start) * width + t.column + column;
    output_coordinate at{t.image, t.channel, t.row + start, t.column + column,
                         static_cast<std::int64_t>(plane) * p.output_plane + inside};
    sum const* from = area + start * p.tile.columns + column;
#pragma unroll 4
    for (; count > 0; --count) {
      p.y[at.offset] = from_sum<T>(static_cast<sum>(epilogue(*from, at)));
      at.row += p.stores.rows;
      at.offset += static_cast<std::int64_t>(p.stores.rows) * width;
      from += p.stores.rows * p.tile.columns;
    }
  }

  /// Whole rows of planes: of those of one channel, or else of the channels of each image.
  __device__ void many_planes(int start, int lane) const
  {
    bool const by_image = p.tile.channels == 1;
    int const planes    = by_image ? t.images : t.channels;
    int const times     = by_image ? 1 : t.images;
    if (start >= planes) { return; }
    int const step          = p.stores.rows;
    int const count         = (planes - start + step - 1) / step;
    int const from_jump     = step * p.stores.length;
    int const places        = t.rows * p.tile.columns;
    std::int64_t const y    = p.output_plane;
    std::int64_t const jump = (by_image ? p.channels : 1) * y * step;
    for (int image = 0; image < times; ++image) {
      output_coordinate first{t.image + image, t.channel, 0, 0, 0};
      (by_image ? first.batch : first.channel) += start;
      first.offset = (first.batch * p.channels + first.channel) * y + t.row * p.columns.output;
      sum const* const line = area + (image * p.tile.channels + start) * p.stores.length;
      for (int place = lane; place < places; place += p.stores.lanes.divisor()) {
        output_coordinate at = first;
        int const row        = p.tile_columns.quotient(place);
        at.row               = t.row + row;
        at.column            = place - row * p.tile.columns;
        at.offset += place;
        sum const* from = line + place;
#pragma unroll 4
        for (int left = count; left > 0; --left) {
          p.y[at.offset] = from_sum<T>(static_cast<sum>(epilogue(*from, at)));
          (by_image ? at.batch : at.channel) += step;
          at.offset += jump;
          from += from_jump;
        }
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
