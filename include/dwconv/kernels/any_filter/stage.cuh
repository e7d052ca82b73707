// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

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

  /// The part of x under the tile, zeros beside the image included. A thread keeps to its place in
  /// the rows and walks down them.
  static __device__ void input(params const& p, any_filter_tile const& t, int first_read, sum* area)
  {
    int const rows   = t.down.end - t.down.first;
    int const planes = p.tile.images * p.input_channels;
    if (rows <= 0) { return; }
    if (planes > 1) {
      many_planes(p, t, first_read, rows, area);
    } else if (rows > 1) {
      one_plane(p, t, first_read, rows, area);
    } else {
      one_row(p, t, first_read, area);
    }
    // The last row of a plane has no next row whose zeros could end it.
    int const zeros = p.tail_size * planes;
    for (int z = static_cast<int>(threadIdx.x); z < zeros; z += static_cast<int>(blockDim.x)) {
      int const plane = p.tail.quotient(z);
      area[plane * p.plane_pitch + rows * p.row_pitch + (z - plane * p.tail_size)] = sum(0);
    }
  }

  /// The filters of the tile's channels: quads of neighbouring taps, those of one column of quads
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
      area[channel * p.filter_pitch + ((column >> 2) * height + row) * 4 + (column & 3)] =
        to_sum(load_read_only(from + at));
    }
  }

 private:
  /// Loads that a thread has in flight.
  static constexpr int in_flight = 8;

  /// Where in a row of x a place of a staged row comes from.
  struct origin {
    bool on_image;
    int column;

    __device__ origin(params const& p, any_filter_tile const& t, int first_read, int place)
    {
      int const phase  = p.phase_pitch.quotient(place);
      int const phases = p.columns.phases.divisor();
      int const mark   = (first_read + place - phase * p.phase_pitch.divisor()) * phases + phase;
      on_image         = phase < phases && mark >= t.across.first && mark < t.across.end;
      column           = on_image ? t.across.origin + mark * p.columns.unit.divisor() : 0;
    }
  };

  /// The row of x, in the tile's first plane, that is staged first.
  [[nodiscard]] static __device__ T const* first_row(params const& p, any_filter_tile const& t)
  {
    int const plane = t.image * p.problem_input_channels + t.input_channel;
    int const row   = t.down.origin + t.down.first * p.rows.unit.divisor();
    return p.x + static_cast<std::int64_t>(plane) * p.input_plane + row * p.columns.input;
  }

  /// Here neighbouring places are what is in flight.
  static __device__ void one_row(params const& p, any_filter_tile const& t, int first_read,
                                 sum* area)
  {
    T const* const from = first_row(p, t);
    int const step      = static_cast<int>(blockDim.x);
    int const places    = p.loads.length;
    for (int place = static_cast<int>(threadIdx.x); place < places; place += in_flight * step) {
      T loaded[in_flight];
      bool on_image[in_flight];
#pragma unroll
      for (int k = 0; k < in_flight; ++k) {
        origin const here{p, t, first_read, place + k * step};
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

  static __device__ void one_plane(params const& p, any_filter_tile const& t, int first_read,
                                   int rows, sum* area)
  {
    int const start = p.loads.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane  = static_cast<int>(threadIdx.x) - start * p.loads.lanes.divisor();
    int const step  = p.loads.rows;
    if (start >= step || start >= rows) { return; }
    int const unit           = p.rows.unit.divisor();
    std::int64_t const jump  = static_cast<std::int64_t>(step) * unit * p.columns.input;
    T const* const first_own = first_row(p, t) + start * unit * p.columns.input;

    for (int place = lane; place < p.loads.length; place += p.loads.lanes.divisor()) {
      origin const here{p, t, first_read, place};
      column_walk walk{first_own + here.column, area + start * p.row_pitch + place, jump,
                       step * p.row_pitch, here.on_image};
      int left = (rows - start + step - 1) / step;
      for (; left >= in_flight; left -= in_flight) { walk.template take<in_flight>(in_flight); }
      for (; left > 0; left -= in_flight / 2) { walk.template take<in_flight / 2>(left); }
    }
  }

  /// Down the staged rows at one place of them.
  struct column_walk {
    T const* from;
    sum* to;
    std::int64_t from_jump;
    int to_jump;
    bool on_image;

    /// Up to Most rows, all loaded before the first is stored.
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

  static __device__ void many_planes(params const& p, any_filter_tile const& t, int first_read,
                                     int rows, sum* area)
  {
    int const start = p.loads.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane  = static_cast<int>(threadIdx.x) - start * p.loads.lanes.divisor();
    int const step  = p.loads.rows;
    int const lines = start < step ? p.staged_rows.divisor() * p.tile.images * p.input_channels : 0;
    int const pitch = rows > 1 ? p.rows.unit.divisor() * p.columns.input : 0;
    T const* const from = first_row(p, t);

    for (int place = lane; place < p.loads.length; place += p.loads.lanes.divisor()) {
      origin const here{p, t, first_read, place};
      for (int line = start; line < lines; line += in_flight * step) {
        T loaded[in_flight];
        int to[in_flight];
#pragma unroll
        for (int k = 0; k < in_flight; ++k) {
          int const at      = line + k * step;
          int const staged  = p.staged_rows.quotient(at);
          int const row     = at - staged * p.staged_rows.divisor();
          int const image   = p.staged_channels.quotient(staged);
          int const channel = staged - image * p.input_channels;
          bool const there =
            at < lines && row < rows && image < t.images && channel < t.input_channels;
          to[k] = there ? staged * p.plane_pitch + row * p.row_pitch + place : -1;
          if (there && here.on_image) {
            int const plane = image * p.problem_input_channels + channel;
            loaded[k] = load_read_only(from + static_cast<std::int64_t>(plane) * p.input_plane +
                                       (row * pitch + here.column));
          }
        }
#pragma unroll
        for (int k = 0; k < in_flight; ++k) {
          if (to[k] >= 0) { area[to[k]] = here.on_image ? to_sum(loaded[k]) : sum(0); }
        }
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
