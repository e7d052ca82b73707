// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/window/engine.cuh>
#include <dwconv/kernels/window/runtime_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// As `window_piece`; of a dilated filter the rows of a piece are some rows apart, and its columns
/// some columns, and pieces that begin beside each other fill the gaps.
template <typename Params>
[[nodiscard]] __device__ window_piece runtime_window_piece(Params const& p,
                                                           tile_position const& tile, int thread)
{
  auto const at = thread_place<Params>::of(p, thread);
  window_piece piece;
  piece.row      = at.row;
  piece.column   = at.column;
  int const left = tile.rows - piece.row;
  piece.rows =
    at.plane < tile.planes && left > 0 ? min(p.rows_per_thread, p.phases.quotient_up(left)) : 0;
  int const beside = tile.columns - piece.column;
  piece.columns = beside > 0 ? min(p.columns_per_thread, p.column_phases.quotient_up(beside)) : 0;
  piece.plane   = min(at.plane, tile.planes - 1);
  if (piece.columns <= 0) { piece.rows = 0; }
  return piece;
}

/// Brings the filters of a tile's planes to shared memory, as `runtime_window_filter` says.
template <typename T>
__device__ void stage_runtime_filters(runtime_window_params<T> const& p, tile_position const& tile,
                                      sum_of<T>* area)
{
  int const count = tile.planes * p.taps.divisor();
#pragma unroll 1
  for (int e = static_cast<int>(threadIdx.x); e < count; e += static_cast<int>(blockDim.x)) {
    int const plane   = p.taps.quotient(e);
    int const tap     = e - plane * p.taps.divisor();
    int const kh      = p.taps_across.quotient(tap);
    int const kw      = tap - kh * p.taps_across.divisor();
    int const r       = p.stride_height.quotient(kh);
    int const of_all  = p.lattices.quotient(kw);  // on its lattice
    int const lattice = kw - of_all * p.lattices.divisor();
    int const part    = p.run_taps.quotient(of_all);
    int const run     = part * p.lattices.divisor() + lattice;
    int const image   = p.output_channels.quotient(tile.plane + plane);
    int const channel = tile.plane + plane - image * p.output_channels.divisor();
    area[plane * p.staged.plane_pitch + (kh - r * p.stride_height.divisor()) * p.staged.row_pitch +
         run * p.staged.run_pitch + (of_all - part * p.run_taps.divisor()) * p.staged.tap_pitch +
         r] =
      to_sum(
        load_read_only(p.filter + static_cast<std::int64_t>(channel) * p.taps.divisor() +
                       (p.turned ? p.taps.divisor() - 1 - tap : tap)));
  }
}

/// Slides a window down the staged rows of one plane as `sliding_window` does, for a filter that is
/// known at run time only and read from shared memory.
///
/// Sums are kept newest first, and there is code for each number of rows of them. Of a row's taps a
/// run is taken at a time: the elements of x that its taps meet are read first, those past the last
/// tap not at all or to no end, and each tap's multiply-adds are stepped over where the run has
/// fewer taps. At stride 1, and where the stride divides the dilation, the taps of an output are
/// added row by row, in each from left to right; else lattice by lattice in each row.
template <typename Config>
class runtime_window {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int columns    = Config::columns_per_thread;
  static constexpr int least_live = Config::size.least_live;
  static constexpr int most_live  = Config::size.live;
  static constexpr int most_taps  = Config::size.taps;
  /// Filters of fewer taps have another kernel.
  static constexpr int least_taps = most_taps > 8 ? most_taps / 2 + 1 : 1;
  static constexpr int reach      = columns + most_taps - 1;
  static constexpr int remembered = 64 / reach;  ///< Lattices whose elements are known to be on it.

  /// @param p       What the kernel is told.
  /// @param filter  The plane's, staged.
  /// @param row     Input row that the walk begins with; may lie above the image, whose rows, as
  /// far as the tile takes them, end before `row_end`.
  /// @param row_end See `row`.
  /// @param column  Input column under the first output's first tap.
  __device__ runtime_window(runtime_window_params<T> const& p, sum const* filter, int row,
                            int row_end, int column)
    : p_{p},
      filter_{filter},
      row_end_{row_end},
      row_{row},
      column_{column},
      distance_{opaque(p.row.distance)},
      taps_{opaque(p.row.run_taps)},
      advance_{opaque(p.advance.divisor() * p.geometry.input_pitch)}
  {
    // Steps with a row on the image: only they read and multiply.
    int const behind = row + p.step_rows - 1;
    first_           = behind < 0 ? p.advance.quotient_up(-behind) : 0;
    last_            = row_end > row ? p.advance.quotient_up(row_end - row) : 0;
    on_image_        = elements_on_image(column);
#pragma unroll 1
    for (int lattice = 1; lattice < min(p.row.lattices, remembered); ++lattice) {
      on_image_ |= std::uint64_t{elements_on_image(column + lattice * p.row.lattice_apart)}
                   << reach * lattice;
    }
#pragma unroll
    for (int r = 0; r < most_live; ++r) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { sums_[r][v] = sum(0); }
    }
  }

  /// The next step of the walk.
  [[nodiscard]] __device__ int step() const
  {
    return step_;
  }

  /// Walks from where it is to step `until`.
  ///
  /// @param staged Row `row` of x at the thread's first column.
  /// @param row    First staged row.
  /// @param until  Step to stop before.
  /// @param retire Given each row of sums that is finished.
  template <typename Retire>
  __device__ void walk(T const* staged, int row, int until, Retire& retire)
  {
    walk_rows<least_live>(staged, row, until, retire);
  }

 private:
  /// With as many rows of sums as the filter needs, at least Rows.
  template <int Rows, typename Retire>
  __device__ void walk_rows(T const* staged, int row, int until, Retire& retire)
  {
    if constexpr (Rows < most_live) {
      if (p_.live != Rows) {
        walk_rows<Rows + 1>(staged, row, until, retire);
        return;
      }
    }
    int const first = min(until, first_);
    int const last  = min(until, last_);
#pragma unroll 1
    while (step_ < first) { idle<Rows>(retire); }
    if (step_ < last) {
      int const pitch = p_.geometry.input_pitch;
      T const* at     = staged + (row_ - row) * pitch;
      if (p_.step_rows == 1 && p_.row.runs == 1) {
        walk_taps<Rows, least_taps>(at, last, retire);
      } else {
#pragma unroll 1
        do {
          take<Rows>(at, pitch, retire);
          at += advance_;
        } while (step_ < last);
      }
    }
#pragma unroll 1
    while (step_ < until) { idle<Rows>(retire); }
  }

  /// The steps with a row of x on the image, where a step is one row and a row one run, with as
  /// many taps as the filter has, at least Taps.
  template <int Rows, int Taps, typename Retire>
  __device__ void walk_taps(T const* at, int last, Retire& retire)
  {
    if constexpr (Taps < most_taps) {
      if (taps_ != Taps) {
        walk_taps<Rows, Taps + 1>(at, last, retire);
        return;
      }
    }
    auto const on_image = opaque(static_cast<unsigned>(on_image_));
#pragma unroll 1
    do {
      add_run<Rows, Taps>(at, filter_, Taps, on_image, true);
      give<Rows>(retire);
      advance();
      at += advance_;
    } while (step_ < last);
  }

  /// A step with a row of x on the image.
  template <int Rows, typename Retire>
  __device__ void take(T const* row, int pitch, Retire& retire)
  {
    sum const* filter = filter_;
    bool first        = true;
#pragma unroll 1
    for (int j = 0;;) {
      if (p_.step_rows == 1 || (row_ + j >= 0 && row_ + j < row_end_)) {
        add_row<Rows>(row, filter, first);
      } else if (first) {
        shift<Rows>();
      }
      if (j == p_.last_row) { give<Rows>(retire); }
      if (++j >= p_.step_rows) { break; }
      first = false;
      row += pitch;
      filter += p_.staged.row_pitch;
    }
    advance();
  }

  /// A step without.
  template <int Rows, typename Retire>
  __device__ void idle(Retire& retire)
  {
    shift<Rows>();
    give<Rows>(retire);
    advance();
  }

  __device__ void advance()
  {
    ++step_;
    row_ += p_.advance.divisor();
  }

  template <int Rows>
  __device__ void shift()
  {
#pragma unroll
    for (int r = Rows - 1; r >= 0; --r) {
#pragma unroll
      for (int v = 0; v < columns; ++v) {
        sums_[r][v] = r > 0 ? sums_[r > 0 ? r - 1 : r][v] : sum(0);
      }
    }
  }

  /// The oldest row of sums is finished.
  template <int Rows, typename Retire>
  __device__ void give(Retire& retire)
  {
    if (step_ >= Rows - 1) { retire(sums_[Rows - 1]); }
  }

  /// A bit for each element of a run that begins in this column of x, the first lowest.
  [[nodiscard]] __device__ unsigned elements_on_image(int column) const
  {
    static_assert(reach < 32);
    int const left  = p_.frame.input_width - column;
    int const begin = column < 0 ? min(p_.distance.quotient_up(-column), 31) : 0;
    int const end   = left > 0 ? min(p_.distance.quotient_up(left), 31) : 0;
    return end > begin ? ((1u << end) - (1u << begin)) & ((1u << reach) - 1) : 0u;
  }

  /// Adds one row of x to every row of sums, run by run.
  template <int Rows>
  __device__ void add_row(T const* row, sum const* filter, bool first_of_step)
  {
    T const* at   = row;
    auto on_image = static_cast<unsigned>(on_image_);
    int taps      = taps_;
    int lattice   = 0;
    int begin     = 0;  // taps of the lattice in runs before
#pragma unroll 1
    for (int left = p_.row.runs;;) {
      if (taps > 0) { add_run<Rows, 0>(at, filter, taps, on_image, first_of_step); }
      if (--left == 0) { break; }
      first_of_step = false;
      filter += p_.staged.run_pitch;
      if (++lattice == p_.row.lattices) {
        lattice = 0;
        begin += p_.row.run_taps;
      }
      int const of_lattice = p_.row.lattice_taps - (lattice < p_.row.full_lattices ? 0 : 1);
      int const offset     = lattice * p_.row.lattice_apart + begin * p_.row.distance;
      taps                 = min(p_.row.run_taps, of_lattice - begin);
      at                   = row + offset;
      on_image             = begin == 0 && lattice < remembered
                               ? static_cast<unsigned>(on_image_ >> reach * lattice)
                               : elements_on_image(column_ + offset);
    }
  }

  /// What is read of the filter at once.
  static constexpr int at_once = 16 / static_cast<int>(sizeof(sum));
  struct alignas(16) pack {
    sum taps[at_once];
  };

  /// A run of taps for every row of sums. With the first tap of a step each row of sums takes the
  /// place of the one before it. Where Taps is not zero, it is how many there are, and the first of
  /// a step among them.
  template <int Rows, int Taps>
  __device__ void add_run(T const* at, sum const* filter, int taps, unsigned on_image, bool first)
  {
    // Elements are read by so many taps at a time: a test for each costs more than to read on.
    constexpr int read_taps = Taps > 0 ? 1 : most_taps > 8 ? 3 : 2;
    // Of one row of sums all taps are held; of several those of this column and, if registers
    // allow, the next.
    constexpr int ahead = sizeof(sum) == 8 && Rows > 5 ? 0 : 1;
    constexpr int held  = Rows == 1 ? (most_taps + at_once - 1) / at_once : ahead + 1;
    constexpr int packs = Rows == 1 ? 1 : (Rows + at_once - 1) / at_once;
    pack f[held][packs];
    sum x[reach];
    auto const read = [&](int c) {
      T const value = at[c * distance_];
      x[c]          = (on_image >> c & 1u) != 0 ? to_sum(value) : sum(0);
    };
    auto const read_filter = [&](int t) {
#pragma unroll
      for (int i = 0; i < packs; ++i) {
        f[t % held][i] =
          reinterpret_cast<pack const*>(filter)[t * (runtime_window_tap_pitch(Rows) / at_once) + i];
      }
    };
    if constexpr (Rows > 1) { read_filter(0); }
#pragma unroll
    for (int c = 0; c < columns; ++c) { read(c); }
#pragma unroll
    for (int t = 1; t < most_taps; t += read_taps) {
      if (t >= taps) { break; }
#pragma unroll
      for (int u = t; u < t + read_taps && u < most_taps; ++u) { read(columns - 1 + u); }
    }
    if constexpr (Rows == 1) {
#pragma unroll
      for (int i = 0; i < held; ++i) {
        if (i * at_once >= taps) { break; }
        f[i][0] = reinterpret_cast<pack const*>(filter)[i];
      }
    }
    auto const add = [&]<bool Shift>(int t) {
#pragma unroll
      for (int r = Rows - 1; r >= 0; --r) {
        sum const w = Rows == 1 ? f[t / at_once][0].taps[t % at_once]
                                : f[t % held][r / at_once].taps[r % at_once];
#pragma unroll
        for (int v = 0; v < columns; ++v) {
          sum const before = !Shift ? sums_[r][v] : r > 0 ? sums_[r > 0 ? r - 1 : r][v] : sum(0);
          sums_[r][v]      = multiply_add(x[v + t], w, before);
        }
      }
    };
    if (Rows > 1 && ahead == 1 && (Taps > 0 ? Taps : most_taps) > 1) { read_filter(1); }
    if (Taps > 0 || first) {
      add.template operator()<true>(0);
    } else {
      add.template operator()<false>(0);
    }
#pragma unroll
    for (int t = 1; t < most_taps; ++t) {
      if (t >= taps) { break; }
      if (Rows > 1 && t + ahead < (Taps > 0 ? Taps : most_taps)) { read_filter(t + ahead); }
      add.template operator()<false>(t);
    }
  }

  runtime_window_params<T> const& p_;
  sum const* filter_;
  int row_end_;
  int row_;  ///< Of x, that the next step begins with.
  int column_;
  int distance_;
  int taps_;
  int advance_;  ///< Elements of the staged area from a step to the next.
  int first_;
  int last_;
  std::uint64_t on_image_;  ///< Elements of each lattice's first run, as far as it has room.
  int step_ = 0;
  sum sums_[most_live][columns];
};

DWCONV_ABI_NAMESPACE_END
