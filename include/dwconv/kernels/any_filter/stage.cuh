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
struct any_filter_stage {
  using sum    = sum_of<T>;
  using params = any_filter_params<T>;

  /// Loads that a thread has in flight.
  static constexpr int in_flight = 8;

  /// The part of x under the tile, zeros beside the image included. A thread keeps to its place in
  /// the row and walks down the rows.
  static __device__ void input(params const& p, any_filter_tile const& t, int first_read, sum* area)
  {
    int const rows = t.down.end - t.down.first;
    if (rows <= 0) { return; }
    if (p.tile.images * p.input_channels == 1) {
      input_rows<true>(p, t, first_read, rows, area);
    } else {
      input_rows<false>(p, t, first_read, rows, area);
    }
    // The last row of a plane has no next row whose zeros could end it.
    int const tail  = p.row_pitch < p.plane_pitch ? p.tail.divisor() : 0;
    int const zeros = tail * p.tile.images * p.input_channels;
    for (int z = static_cast<int>(threadIdx.x); z < zeros; z += static_cast<int>(blockDim.x)) {
      int const plane                                                       = p.tail.quotient(z);
      area[plane * p.plane_pitch + rows * p.row_pitch + (z - plane * tail)] = sum(0);
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
      int const column  = at - line * width;
      int const channel = p.filter_height.quotient(line);
      int const row     = line - channel * height;
      area[channel * p.filter_pitch + ((column >> 2) * height + row) * 4 + (column & 3)] =
        to_sum(load_read_only(from + at));
    }
  }

 private:
  template <bool OnePlane>
  static __device__ void input_rows(params const& p, any_filter_tile const& t, int first_read,
                                    int rows, sum* area)
  {
    int const start = p.loads.lanes.quotient(static_cast<int>(threadIdx.x));
    int const lane  = static_cast<int>(threadIdx.x) - start * p.loads.lanes.divisor();
    int const width = p.columns.input;
    int const unit  = p.rows.unit.divisor();
    int const lines = OnePlane ? rows : p.staged_rows.divisor() * p.tile.images * p.input_channels;
    if (start >= p.loads.rows || start >= lines) { return; }
    T const* const plane =
      p.x + (static_cast<std::int64_t>(t.image) * p.problem_input_channels + t.input_channel) *
              p.input_plane;
    int const first_row = t.down.origin + t.down.first * unit;

    for (int slot = lane; slot < p.loads.length; slot += p.loads.lanes.divisor()) {
      int const phase     = p.phase_pitch.quotient(slot);
      int const phases    = p.columns.phases.divisor();
      int const mark      = (first_read + slot - phase * p.phase_pitch.divisor()) * phases + phase;
      bool const on_image = phase < phases && mark >= t.across.first && mark < t.across.end;
      int const column    = on_image ? t.across.origin + mark * p.columns.unit.divisor() : 0;
      if constexpr (OnePlane) {
        int const step          = p.loads.rows;
        std::int64_t const jump = static_cast<std::int64_t>(step) * unit * width;
        T const* from           = plane + ((first_row + start * unit) * width + column);
        sum* to                 = area + start * p.row_pitch + slot;
        for (int line = start; line < lines; line += in_flight * step) {
          T loaded[in_flight];
#pragma unroll
          for (int k = 0; k < in_flight; ++k) {
            if (on_image && line + k * step < lines) {
              loaded[k] = load_read_only(from + k * jump);
            }
          }
#pragma unroll
          for (int k = 0; k < in_flight; ++k) {
            if (line + k * step < lines) {
              to[k * step * p.row_pitch] = on_image ? to_sum(loaded[k]) : sum(0);
            }
          }
          from += in_flight * jump;
          to += in_flight * step * p.row_pitch;
        }
      } else {
        for (int line = start; line < lines; line += in_flight * p.loads.rows) {
          T loaded[in_flight];
          int to[in_flight];
#pragma unroll
          for (int k = 0; k < in_flight; ++k) {
            int const at      = line + k * p.loads.rows;
            int const staged  = p.staged_rows.quotient(at);
            int const row     = at - staged * p.staged_rows.divisor();
            int const image   = p.staged_channels.quotient(staged);
            int const channel = staged - image * p.input_channels;
            bool const here =
              at < lines && row < rows && image < t.images && channel < t.input_channels;
            to[k] = here ? staged * p.plane_pitch + row * p.row_pitch + slot : -1;
            if (here && on_image) {
              loaded[k] = load_read_only(
                plane +
                static_cast<std::int64_t>(image * p.problem_input_channels + channel) *
                  p.input_plane +
                ((first_row + row * unit) * width + column));
            }
          }
#pragma unroll
          for (int k = 0; k < in_flight; ++k) {
            if (to[k] >= 0) { area[to[k]] = on_image ? to_sum(loaded[k]) : sum(0); }
          }
        }
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
