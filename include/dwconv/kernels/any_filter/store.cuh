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
      for (int column = lane; column < t.columns; column += p.stores.lanes.divisor()) {
        one_plane(start, column);
      }
    } else {
      int const places = t.rows * p.tile.columns;
      for (int place = lane; place < places; place += p.stores.lanes.divisor()) {
        many_planes(start, place);
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

  /// Whole rows of planes, at one place in each: planes of one channel, or else the channels of
  /// each image.
  __device__ void many_planes(int start, int place) const
  {
    bool const by_image = p.tile.channels == 1;
    int const planes    = by_image ? t.images : t.channels;
    int const times     = by_image ? 1 : t.images;
    int const step      = p.stores.rows;
    int const row       = p.tile_columns.quotient(place);
    std::int64_t const jump =
      static_cast<std::int64_t>(step) * (by_image ? p.channels : 1) * p.output_plane;
    for (int image = 0; image < times; ++image) {
      output_coordinate at{t.image + image, t.channel, t.row + row, place - row * p.tile.columns,
                           0};
      (by_image ? at.batch : at.channel) += start;
      at.offset = (at.batch * p.channels + at.channel) * p.output_plane +
                  (t.row * p.columns.output + place);
      sum const* from = area + (image * p.tile.channels + start) * p.stores.length + place;
#pragma unroll 4
      for (int plane = start; plane < planes; plane += step) {
        p.y[at.offset] = from_sum<T>(static_cast<sum>(epilogue(*from, at)));
        (by_image ? at.batch : at.channel) += step;
        at.offset += jump;
        from += step * p.stores.length;
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
