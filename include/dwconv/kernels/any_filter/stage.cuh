// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/any_filter/params.hpp>
#include <dwconv/kernels/any_filter/tile.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Brings what a tile needs into shared memory, in the type of its sums.
template <typename T>
class any_filter_stage {
 public:
  using sum    = sum_of<T>;
  using params = any_filter_params<T>;

  /// The part of x under the tile, zeros beside the image included.
  static __device__ void input(params const& p, any_filter_tile const& t, sum* area)
  {
    int const rows   = t.down.end - t.down.first;
    int const planes = p.tile.images * p.input_channels;
    if (rows <= 0) { return; }
    if constexpr (asynchronous) {
      switch (p.copied) {
        case 4: rows_of<4>(p, t, rows, area); break;
        case 2: rows_of<2>(p, t, rows, area); break;
        default: rows_of<1>(p, t, rows, area);
      }
    } else {
      rows_of<1>(p, t, rows, area);
    }
    // The last row of a plane has no next row whose zeros could end it.
    int const zeros = p.tail_size * planes;
    for (int z = static_cast<int>(threadIdx.x); z < zeros; z += static_cast<int>(blockDim.x)) {
      int const plane = p.tail.quotient(z);
      area[plane * p.plane_pitch + rows * p.row_pitch + (z - plane * p.tail_size)] = sum(0);
    }
  }

  /// The filters of the tile's channels: eights of neighbouring taps, those of one column of eights
  /// one below the other.
  static __device__ void filters(params const& p, any_filter_tile const& t, sum* area)
  {
    int const height = p.filter_height.divisor();
    int const width  = p.filter_width.divisor();
    T const* const from =
      p.filter + static_cast<std::int64_t>(t.channel) * (static_cast<std::int64_t>(height) * width);
    int const taps = t.channels * height * width;
#pragma unroll 4
    for (int at = static_cast<int>(threadIdx.x); at < taps; at += static_cast<int>(blockDim.x)) {
      int const line    = p.filter_width.quotient(at);
      int const channel = p.filter_height.quotient(line);
      int column        = at - line * width;
      int row           = line - channel * height;
      if (p.turned) { column = width - 1 - column, row = height - 1 - row; }
      bring(area + channel * p.filter_pitch + ((column >> 3) * height + row) * 8 + (column & 7),
            from + at);
    }
  }

  /// Waits for what this thread has brought.
  static __device__ void arrive()
  {
    if constexpr (asynchronous) {
      async_commit();
      async_wait<0>();
    }
  }

 private:
  /// Loads that a thread has in flight.
  static constexpr int in_flight = 8;
  /// Whether elements need no converting, and pass by the registers.
  static constexpr bool asynchronous = std::is_same_v<T, sum> && architecture() >= 80;

  static __device__ void bring(sum* to, T const* from)
  {
    if constexpr (asynchronous) {
      async_copy<sizeof(T)>(to, from);
    } else {
      *to = to_sum(load_read_only(from));
    }
  }

  /// Where in a row of x a place of a staged row comes from.
  struct origin {
    bool on_image;
    int column;

    __device__ origin(params const& p, any_filter_tile const& t, int place)
    {
      int const phase  = p.phase_pitch.quotient(place);
      int const phases = p.columns.phases.divisor();
      int const mark   = (place - phase * p.phase_pitch.divisor() - t.lead) * phases + phase;
      column           = t.across.origin + mark * p.columns.unit.divisor();
      on_image         = phase < phases && column >= 0 && column < p.columns.input;
      if (!on_image) { column = 0; }
    }
  };

  /// The row of x, in the tile's first plane, that is staged first.
  [[nodiscard]] static __device__ T const* first_row(params const& p, any_filter_tile const& t)
  {
    int const plane = t.image * p.problem_input_channels + t.input_channel;
    int const row   = t.down.origin + t.down.first * p.rows.unit.divisor();
    return p.x + static_cast<std::int64_t>(plane) * p.input_plane + row * p.columns.input;
  }

  /// Copies of Copied elements each.
  template <int Copied>
  static __device__ void rows_of(params const& p, any_filter_tile const& t, int rows, sum* area)
  {
    if (p.tile.images * p.input_channels > 1) {
      many_planes<Copied>(p, t, rows, area);
    } else if (rows > 1 || asynchronous) {
      one_plane<Copied>(p, t, rows, area);
    } else {
      one_row(p, t, area);
    }
  }

  /// Here neighbouring places are what is in flight.
  static __device__ void one_row(params const& p, any_filter_tile const& t, sum* area)
  {
    T const* const from = first_row(p, t);
    int const step      = static_cast<int>(blockDim.x);
    int const places    = p.loads.length;
    for (int place = static_cast<int>(threadIdx.x); place < places; place += in_flight * step) {
      T loaded[in_flight];
      bool on_image[in_flight];
#pragma unroll
      for (int k = 0; k < in_flight; ++k) {
        origin const here{p, t, place + k * step};
        on_image[k] = here.on_image && place + k * step < places;
        if (on_image[k]) { loaded[k] = load_read_only(from + here.column); }
      }
#pragma unroll
      for (int k = 0; k < in_flight; ++k) {
        if (place + k * step < places) {
          area[place + k * step] = on_image[k] ? to_sum(loaded[k]) : sum(0);
        }
      }
    }
  }

  /// Elements of one place in each of several rows or planes.
  template <int Copied>
  struct walk {
    T const* from;
    sum* to;
    std::int64_t from_jump;
    int to_jump;
    bool on_image;

    __device__ void all(int count)
    {
      if constexpr (asynchronous) {
        constexpr int bytes = Copied * sizeof(T) > 16 ? 16 : Copied * sizeof(T);
        int const valid     = on_image ? bytes : 0;
#pragma unroll 4
        for (int k = 0; k < count; ++k) {
          async_copy<bytes>(to, from, valid);
          from += from_jump;
          to += to_jump;
        }
      } else {
        for (; count >= in_flight; count -= in_flight) { take<in_flight>(in_flight); }
        for (; count > 0; count -= in_flight / 2) { take<in_flight / 2>(count); }
      }
    }

    /// Up to Most, all loaded before the first is stored.
    template <int Most>
    __device__ void take(int count)
    {
      T loaded[Most];
#pragma unroll
      for (int k = 0; k < Most; ++k) {
        if (on_image && k < count) { loaded[k] = load_read_only(from + k * from_jump); }
      }
#pragma unroll
      for (int k = 0; k < Most; ++k) {
        if (k < count) { to[k * to_jump] = on_image ? to_sum(loaded[k]) : sum(0); }
      }
      from += Most * from_jump;
      to += Most * to_jump;
    }
  };

  /// A thread keeps to its place in the rows and walks down them.
  template <int Copied>
  static __device__ void one_plane(params const& p, any_filter_tile const& t, int rows, sum* area)
  {
    int const start = p.loads.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane  = static_cast<int>(threadIdx.x) - start * p.loads.lanes.divisor();
    int const step  = p.loads.rows;
    if (start >= step || start >= rows) { return; }
    int const unit           = p.rows.unit.divisor();
    std::int64_t const jump  = static_cast<std::int64_t>(step) * unit * p.columns.input;
    T const* const first_own = first_row(p, t) + start * unit * p.columns.input;
    int const count          = (rows - start + step - 1) / step;
    for (int place = lane; place < p.loads.length; place += p.loads.lanes.divisor()) {
      origin const here{p, t, place * Copied};
      walk<Copied>{first_own + here.column, area + start * p.row_pitch + place * Copied, jump,
                   step * p.row_pitch, here.on_image}
        .all(count);
    }
  }

  /// A thread keeps to its place in the planes, whose rows are whole, and walks over those of one
  /// channel, or else over the channels of each image.
  template <int Copied>
  static __device__ void many_planes(params const& p, any_filter_tile const& t, int rows, sum* area)
  {
    int const start         = p.loads.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane          = static_cast<int>(threadIdx.x) - start * p.loads.lanes.divisor();
    int const step          = p.loads.rows;
    bool const by_image     = p.input_channels == 1;
    int const planes        = by_image ? t.images : t.input_channels;
    int const times         = by_image ? 1 : t.images;
    std::int64_t const next = by_image ? p.problem_input_channels : 1;
    std::int64_t const jump = next * p.input_plane;
    if (start >= step || start >= planes) { return; }
    int const pitch = rows > 1 ? p.rows.unit.divisor() * p.columns.input : 0;
    int const count = (planes - start + step - 1) / step;
    for (int image = 0; image < times; ++image) {
      std::int64_t const planes_on = static_cast<std::int64_t>(image) * p.problem_input_channels;
      T const* const from          = first_row(p, t) + (planes_on * p.input_plane + start * jump);
      sum* const to                = area + (image * p.input_channels + start) * p.plane_pitch;
      for (int place = lane; place < p.loads.length; place += p.loads.lanes.divisor()) {
        int const row    = p.staged_row.quotient(place);
        int const within = place - row * p.staged_row.divisor();
        if (row >= rows) { break; }
        origin const here{p, t, within * Copied};
        walk<Copied>{from + (row * pitch + here.column), to + (row * p.row_pitch + within * Copied),
                     step * jump, step * p.plane_pitch, here.on_image}
          .all(count);
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
