// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/window/spread_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// How the planes of dy under one of dx are staged: `plane` elements apart, but each as far past a
/// 16-byte boundary as in memory.
template <typename T>
struct spread_planes_of_dy {
  int plane;
  unsigned past;   ///< Of the first plane's first staged row, modulo `piece`,
  unsigned apart;  ///< and what the next plane's has more; none where they are one run.

  static constexpr unsigned piece = copy_bytes / sizeof(T);

  [[nodiscard]] __device__ int offset(int m) const
  {
    return m * plane + static_cast<int>((past + static_cast<unsigned>(m) * apart) % piece) -
           static_cast<int>(past % piece);
  }
};

/// Brings the filters of `planes` planes of dx, from number `plane` on, to shared memory.
template <typename Config>
__device__ void stage_spread_filters(spread_params<typename Config::element_type> const& p,
                                     int plane, int planes,
                                     sum_of<typename Config::element_type>* area)
{
  constexpr int taps = static_cast<int>(Config::taps.height * Config::taps.width);
  int const count    = planes * p.multiplier.divisor() * taps;
#pragma unroll 1
  for (int e = static_cast<int>(threadIdx.x); e < count; e += static_cast<int>(blockDim.x)) {
    int const staged  = e / taps;
    int const tap     = e - staged * taps;
    int const of_tile = p.multiplier.quotient(staged);
    int const channel =
      plane + of_tile - p.channels.quotient(plane + of_tile) * p.channels.divisor();
    std::int64_t const filter =
      static_cast<std::int64_t>(channel - of_tile) * p.multiplier.divisor() + staged;
    area[staged * Config::filter_pitch + tap] =
      to_sum(load_read_only(p.filter + filter * taps + tap));
  }
}

/// Walks down the staged rows of dy and adds each element times the filter to the elements of dx
/// that it met: the rows of dx that a row of dy reaches are sums in registers, for the columns of
/// some neighbouring groups. The oldest `stride` rows are finished by each step.
///
/// No tap is asked whether it meets an element of dy: which taps do is the same for all groups.
template <typename Config>
class spread_window {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int filter_height = static_cast<int>(Config::taps.height);
  static constexpr int filter_width  = static_cast<int>(Config::taps.width);
  static constexpr int stride_height = static_cast<int>(Config::stride.height);
  static constexpr int stride_width  = static_cast<int>(Config::stride.width);
  static constexpr int ramp          = (filter_height - 1) / stride_height;
  static constexpr int ramp_across   = (filter_width - 1) / stride_width;
  static constexpr int columns       = Config::columns_per_thread;            ///< Of dx.
  static constexpr int reach         = columns / stride_width + ramp_across;  ///< Columns of dy.

  /// @param filter  The channel's, if it has one.
  /// @param staged  Else where its filters are staged, `spread_filter_pitch` apart,
  /// @param filters and how many there are.
  /// @param column  Column of dy that the thread reads first, and
  /// @param width   those there are.
  __device__ spread_window(T const* filter, sum const* staged, int filters, int column, int width)
    : from_{staged}, filters_{filters}
  {
    if constexpr (!Config::multiplied) {
#pragma unroll
      for (int t = 0; t < taps; ++t) { filter_[t] = to_sum(load_read_only(filter + t)); }
    }
#pragma unroll
    for (int c = 0; c < masks; ++c) { on_image_[c] = opaque(mask_of(c, column, width)); }
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { sums_[i][v] = sum(0); }
    }
  }

  [[nodiscard]] __device__ int step() const
  {
    return step_;
  }

  /// Walks from where it is to step `until`.
  ///
  /// @param staged  Row max(row, 0) of the first plane of dy, at the thread's first column.
  /// @param pitch   From one staged row to the next.
  /// @param planes  From one plane of dy to the next.
  /// @param row     Of dy, that the next step takes; may lie above it.
  /// @param row_end Rows 0 to row_end - 1 are staged as far as steps before `until` take them.
  /// @param until   Step to stop before.
  /// @param first   Row of dx that the next step finishes; may lie outside.
  /// @param height  Rows of dx.
  /// @param retire  Given each row of sums, and whether dx has it and it is finished.
  template <typename Retire>
  __device__ void walk(T const* staged, int pitch, spread_planes_of_dy<T> const& planes, int row,
                       int row_end, int until, int first, int height, Retire& retire)
  {
    // Above dy all sums are still zero, and no row of dx is finished.
    int const above = min(max(-row, 0), max(until - step_, 0));
    row += above;
    first += above * stride_height;
    step_ += above;
    retire.skip(above * stride_height);
    auto const give = [&] {
#pragma unroll
      for (int j = 0; j < stride_height; ++j) {
        retire(sums_[j], step_ >= ramp && first + j >= 0 && first + j < height);
      }
      first += stride_height;
      ++step_;
    };
    // Two loops, as a branch in one would bring sums to the same registers whichever way they came.
    int const last = step_ + min(max(row_end - row, 0), until - step_);
#pragma unroll 1
    while (step_ < last) {
      add_row(staged, planes);
      staged += pitch;
      give();
    }
#pragma unroll 1
    while (step_ < until) {
      shift();
      give();
    }
  }

 private:
  static constexpr int rows   = std::max(filter_height, stride_height);
  static constexpr int taps   = filter_height * filter_width;
  static constexpr bool pairs = sizeof(T) == 2;  ///< Read two columns of dy at a time.
  static constexpr int masks  = pairs ? (reach + 1) / 2 : reach;

  /// Ones for the bits of what is read at once that belong to columns of dy.
  [[nodiscard]] static __device__ unsigned mask_of(int c, int column, int width)
  {
    auto const inside = [&](int at) { return at >= 0 && at < width; };
    if constexpr (pairs) {
      int const first = column + 2 * c;
      return (inside(first) ? 0xffffu : 0u) | (inside(first + 1) ? 0xffff0000u : 0u);
    } else {
      return inside(column + c) ? ~0u : 0u;
    }
  }

  /// 16 bytes of a staged filter.
  struct alignas(16) pack {
    sum values[16 / sizeof(sum)];
  };

  /// Reads staged filter number `m`.
  __device__ void take_filter(int m)
  {
    constexpr int at_once = 16 / static_cast<int>(sizeof(sum));
#pragma unroll
    for (int t = 0; t < Config::filter_pitch; t += at_once) {
      pack const some = *reinterpret_cast<pack const*>(from_ + (m * Config::filter_pitch + t));
#pragma unroll
      for (int i = 0; i < at_once && t + i < taps; ++i) { filter_[t + i] = some.values[i]; }
    }
  }

  __device__ void add_row(T const* row, spread_planes_of_dy<T> const& planes)
  {
    if constexpr (Config::multiplied) {
      take_filter(0);
      accumulate<true>(row);
#pragma unroll 1
      for (int m = 1; m < filters_; ++m) {
        take_filter(m);
        accumulate<false>(row + planes.offset(m));
      }
    } else {
      accumulate<true>(row);
    }
  }

  /// Adds one row of dy; if `First`, each row of sums takes the place of the one `stride` before
  /// it, which costs nothing: its first multiply-add reads one register and writes another.
  template <bool First>
  __device__ void accumulate(T const* row)
  {
    sum dy[reach];
    read_row(row, dy);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int v = 0; v < columns; ++v) {
        // Of the taps those that meet an element of dy, the element that the last of them meets
        // first.
        sum total = First ? behind(i, v) : sums_[i][v];
        if (i < filter_height) {
#pragma unroll
          for (int c = 0; c < reach; ++c) {
            int const kw = v - (c - ramp_across) * stride_width;
            if (kw >= 0 && kw < filter_width) {
              total = multiply_add(dy[c], filter_[i * filter_width + kw], total);
            }
          }
        }
        sums_[i][v] = total;
      }
    }
  }

  /// A row of dy, zeros beside the image.
  __device__ void read_row(T const* row, sum (&dy)[reach]) const
  {
    if constexpr (pairs) {
      // Whole words: where the row begins in the middle of one, pairs are put together from two.
      int const odd = static_cast<int>(reinterpret_cast<std::uintptr_t>(row) / sizeof(T) % 2);
      T const* word = row - odd;
      std::uint32_t words[reach / 2 + 1];
#pragma unroll
      for (int i = 0; i < reach / 2 + 1; ++i) { words[i] = load_pair(word + 2 * i); }
#pragma unroll
      for (int i = 0; i < masks; ++i) {
        std::uint32_t const pair =
          funnel_pair(words[i], words[i < reach / 2 ? i + 1 : i], 16 * odd) & on_image_[i];
        dy[2 * i] = sum_from_pair<T, 0>(pair);
        if (2 * i + 1 < reach) {
          dy[2 * i + 1 < reach ? 2 * i + 1 : 0] = sum_from_pair<T, 1>(pair);
        }
      }
    } else {
#pragma unroll
      for (int c = 0; c < reach; ++c) { dy[c] = to_sum(keep_bits(row[c], on_image_[c])); }
    }
  }

  [[nodiscard]] __device__ sum behind(int i, int v) const
  {
    return i + stride_height < rows ? sums_[i + stride_height < rows ? i + stride_height : i][v]
                                    : sum(0);
  }

  /// A step without a row of dy.
  __device__ void shift()
  {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { sums_[i][v] = behind(i, v); }
    }
  }

  sum const* from_;
  int filters_;
  sum filter_[taps];
  unsigned on_image_[masks];
  sum sums_[rows][columns];
  int step_ = 0;
};

DWCONV_ABI_NAMESPACE_END
