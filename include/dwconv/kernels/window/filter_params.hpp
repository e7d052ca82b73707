// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/window/filter_policy.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// One of the two tensors that are multiplied, as a block sees it.
struct window_filter_source {
  int height;
  int width;
  std::int64_t plane;
  std::int64_t image;  ///< Elements from one image to the next.
  int pitch;           ///< In shared memory: from row to row,
  int run;             ///< from run to run,
  int size;            ///< and of a stage.
};

/// Rows of both tensors that a chunk has.
struct window_filter_chunk {
  int x_row;
  int x_rows;
  int dy_row;
  int dy_rows;
};

/// Everything the window kernel of backward_filter is told, by value.
template <typename T, typename Sum>
struct window_filter_params {
  T const* x;
  T const* x_end;
  T const* dy;
  T const* dy_end;
  unsigned x_past;  ///< How the tensors are aligned, in elements.
  unsigned dy_past;
  Sum* partial;  ///< Of each split, a gradient of the filter.
  window_filter_source of_x;
  window_filter_source of_dy;
  int batch;
  int output_channels;
  int stride_height;
  int stride_width;
  int pad_top;
  int pad_left;
  int filter_width;
  fast_divisor<std::int32_t> multiplier;

  int channels;
  int part;
  int images;
  int images_apart;  ///< 1 if images have runs of their own.
  int columns;
  int strip;
  int steps;
  int segment;  ///< Steps of one of the threads below each other.
  int walks;    ///< Segments of all phases of a dilated filter's rows.
  int live;
  int first_step;
  int end_step;
  int slack;
  bool whole_planes;
  bool whole_rows;
  int stages;
  bool passing;
  fast_divisor<std::int32_t> phases;   ///< The dilation down,
  int dilation_width;                  ///< and along a row.
  int sum_shift;                       ///< 2^sum_shift lanes add up a tap's sums.
  fast_divisor<std::int32_t> across;   ///< Threads along a row,
  fast_divisor<std::int32_t> down;     ///< below each other,
  fast_divisor<std::int32_t> beside;   ///< and in images beside each other.
  fast_divisor<std::int32_t> windows;  ///< Of the grid.
  fast_divisor<std::int32_t> strips;
  fast_divisor<std::int32_t> groups;

  window_filter_params(conv2d_problem const& p, T const* x_, T const* dy_, Sum* partial_,
                       window_filter_policy const& policy)
    : x{x_},
      x_end{x_ + input_elements(p)},
      dy{dy_},
      dy_end{dy_ + output_elements(p)},
      x_past{static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(x_) / sizeof(T))},
      dy_past{static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(dy_) / sizeof(T))},
      partial{partial_},
      batch{static_cast<int>(p.batch)},
      output_channels{static_cast<int>(p.output_channels())},
      stride_height{static_cast<int>(p.stride.height)},
      stride_width{static_cast<int>(p.stride.width)},
      pad_top{static_cast<int>(p.pad.top)},
      pad_left{static_cast<int>(p.pad.left)},
      filter_width{static_cast<int>(p.filter.width)},
      multiplier{static_cast<std::int32_t>(p.multiplier)},
      channels{policy.channels},
      part{policy.part},
      images{policy.images},
      images_apart{policy.columns >= output_extent(p).width ? 1 : 0},
      columns{policy.columns},
      strip{policy.strip},
      steps{policy.steps},
      stages{policy.stages},
      passing{policy.passing},
      phases{static_cast<std::int32_t>(p.dilation.height)},
      dilation_width{static_cast<int>(p.dilation.width)},
      sum_shift{std::countr_zero(static_cast<unsigned>(policy.sum_lanes))},
      down{policy.down},
      beside{policy.images}
  {
    extent2 const out = output_extent(p);
    window_filter_walk const walk{p};
    window_filter_layout const at{p, policy, static_cast<int>(sizeof(T))};
    window_filter_splits const of{p, policy};
    int const columns_of_thread = window_filter_columns(p.filter, static_cast<int>(sizeof(T)));

    of_x    = source(p.input, p.channels, at.x_pitch, at.x_run, at.x_size);
    of_dy   = source(out, p.output_channels(), at.dy_pitch, at.dy_run, at.dy_size);
    segment = static_cast<int>(geometry::divide_up(walk.steps(), policy.down));
    walks   = 0;
    if (p.dilation != extent2{1, 1}) {
      window_filter_phases const of_rows{p};
      segment = of_rows.segment;
      walks   = of_rows.walks();
    }
    live         = walk.live;
    first_step   = walk.first;
    end_step     = walk.end;
    slack        = at.slack;
    whole_planes = at.whole_planes;
    whole_rows   = at.whole_rows;
    across       = divisor(geometry::divide_up(policy.columns, columns_of_thread));
    windows      = divisor(of.windows);
    strips       = divisor(of.strips);
    groups       = divisor(of.groups);
  }

  /// The step that the walk down a strip begins with. Before the strip's own first step rows of dy
  /// are taken in that x will meet then.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int first_of_strip(int from) const noexcept
  {
    return from - (live - 1);
  }

  /// The chunk that begins with step `begin`, of the strip of steps `from` to `until` - 1.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr window_filter_chunk chunk(int begin, int from,
                                                                       int until) const noexcept
  {
    if (whole_planes) { return {0, of_x.height, 0, of_dy.height}; }
    int const end       = least(begin + steps, until);
    int const dy_row    = most(begin, 0);
    int const x_row     = most(most(begin, from) * stride_height - pad_top, 0);
    int const x_end_row = least(end * stride_height - pad_top, of_x.height);
    return {x_row, most(x_end_row - x_row, 0), dy_row, most(least(end, of_dy.height) - dy_row, 0)};
  }

  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int least(int a, int b) noexcept
  {
    return a < b ? a : b;
  }
  [[nodiscard]] static DWCONV_HOST_DEVICE constexpr int most(int a, int b) noexcept
  {
    return a > b ? a : b;
  }

 private:
  [[nodiscard]] static fast_divisor<std::int32_t> divisor(std::int64_t value)
  {
    return fast_divisor<std::int32_t>{static_cast<std::int32_t>(value)};
  }
  [[nodiscard]] static window_filter_source source(extent2 plane, std::int64_t planes,
                                                   std::int64_t pitch, std::int64_t run,
                                                   std::int64_t size)
  {
    std::int64_t const elements = plane.height * plane.width;
    return {static_cast<int>(plane.height),
            static_cast<int>(plane.width),
            elements,
            elements * planes,
            static_cast<int>(pitch),
            static_cast<int>(run),
            static_cast<int>(size)};
  }
};

}  // namespace dwconv
