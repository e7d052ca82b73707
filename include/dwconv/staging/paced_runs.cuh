// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/tile_runs.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The runs of those chunks of a tile that have as many rows as each other, where all of them move
/// in whole pieces: what differs from one such chunk to the next is where it begins. Most chunks
/// are like that, and to find that out for each would take as long as to start its copies.
template <typename T>
struct paced_runs {
  T* origin            = nullptr;  ///< First piece of chunk 0, if it were one of them.
  std::int64_t advance = 0;        ///< Elements from one chunk to the next.
  int runs             = 0;
  unsigned bytes       = 0;  ///< Of each run.
  int begin            = 0;  ///< The first such chunk;
  int end              = 0;  ///< the one after the last.

  [[nodiscard]] __device__ bool has(int chunk) const { return chunk >= begin && chunk < end; }

  [[nodiscard]] __device__ T* first_run(int chunk) const { return origin + chunk * advance; }
};

/// As they are read: rounded outwards to whole pieces, all of them within `tensor_begin` to
/// `tensor_end`. Chunk `first` is the first of `rows` rows and begins with row `row`; chunk `end`
/// is the first one after it that is different.
template <typename T>
[[nodiscard]] __device__ paced_runs<T const> paced_input(tile_runs<T const> const& runs, int row,
                                                         int rows, int first, int end,
                                                         T const* tensor_begin, T const* tensor_end)
{
  constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
  paced_runs<T const> paced;
  if (end <= first) { return paced; }
  T const* const run    = runs.run(0, row);
  int const past        = past_boundary(run);
  int const whole       = (past + runs.count(rows) + piece - 1) / piece * piece;
  paced.advance         = std::int64_t{rows} * runs.row_pitch;
  paced.runs            = runs.runs(rows);
  paced.bytes           = static_cast<unsigned>(whole) * static_cast<unsigned>(sizeof(T));
  paced.origin          = run - past - first * paced.advance;
  T const* const lowest = run - past;
  T const* const highest =
    lowest + (end - 1 - first) * paced.advance + (paced.runs - 1) * runs.memory_stride + whole;
  bool const same = runs.alike() && paced.advance % piece == 0;
  if (same && lowest >= tensor_begin && highest <= tensor_end) {
    paced.begin = first, paced.end = end;
  }
  return paced;
}

/// As they are written: where each run begins and ends on a boundary.
template <typename T>
[[nodiscard]] __device__ paced_runs<T> paced_output(tile_runs<T> const& runs, int row, int rows,
                                                    int first, int end)
{
  constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
  paced_runs<T> paced;
  if (end <= first) { return paced; }
  int const count = runs.count(rows);
  paced.advance   = std::int64_t{rows} * runs.row_pitch;
  paced.runs      = runs.runs(rows);
  paced.bytes     = static_cast<unsigned>(count) * static_cast<unsigned>(sizeof(T));
  paced.origin    = runs.run(0, row) - first * paced.advance;
  bool const same = runs.alike() && paced.advance % piece == 0;
  if (same && count % piece == 0 && past_boundary(runs.run(0, row)) == 0) {
    paced.begin = first, paced.end = end;
  }
  return paced;
}

DWCONV_ABI_NAMESPACE_END
