// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/tile_position.hpp>

namespace dwconv {

/// How some rows of a tile's planes lie in a tensor and in a chunk's area: as contiguous runs, the
/// same distance apart for every chunk of the tile.
///
/// One run where the chunk is whole planes, one a plane where rows are whole, else one a row.
template <typename T>
struct tile_runs {
  T* origin;                   ///< Row 0 of the first plane, at the tile's first column.
  std::int64_t memory_stride;  ///< From one run to the next, in memory,
  int area_stride;             ///< and in the area.
  int row_pitch;               ///< From one row to the next, in memory.
  int fixed_runs;              ///< Zero where there are as many as rows.
  int fixed_count;             ///< Elements of a run besides those of its rows,
  int row_count;               ///< and of each row of it.

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int runs(int rows) const noexcept
  {
    return fixed_runs > 0 ? fixed_runs : rows;
  }

  /// Elements of each run.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr int count(int rows) const noexcept
  {
    return rows > 0 ? fixed_count + rows * row_count : 0;
  }

  /// Whether all runs of a chunk are as far past a boundary.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr bool alike() const noexcept
  {
    return memory_stride * static_cast<std::int64_t>(sizeof(T)) % copy_bytes == 0;
  }

  /// Run `index` of the chunk that begins with row `row` of the planes.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr T* run(int index, int row) const noexcept
  {
    return origin + index * memory_stride + static_cast<std::int64_t>(row) * row_pitch;
  }

  /// Where that run lies in an area: as far from a 16-byte boundary as in memory. Rows of one plane
  /// keep the distance by their pitch; planes each have their own.
  [[nodiscard]] DWCONV_HOST_DEVICE int place(int index, int row) const noexcept
  {
    return index * area_stride + past_boundary(run(fixed_runs > 0 ? index : 0, row));
  }
};

namespace staging {
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE constexpr tile_runs<T> runs_of(T* first, std::int64_t plane,
                                                                int planes, int width, int columns,
                                                                bool whole_planes, bool whole_rows,
                                                                int area_plane, int area_row)
{
  if (whole_planes) {
    return {first, 0, 0, width, 1, (planes - 1) * static_cast<int>(plane), width};
  }
  if (whole_rows) { return {first, plane, area_plane, width, planes, 0, width}; }
  return {first, width, area_row, width, 0, columns, 0};
}
}  // namespace staging

/// The part of x under a tile.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE constexpr tile_runs<T const> input_runs(
  T const* x, tile_geometry const& g, tile_frame const& f, tile_position const& t) noexcept
{
  std::int64_t const plane = static_cast<std::int64_t>(f.input_height) * f.input_width;
  return staging::runs_of<T const>(x + t.input_plane * plane + t.input_column, plane,
                                   t.input_planes, f.input_width, t.input_columns, g.whole_planes,
                                   g.whole_rows, g.input_plane, g.input_pitch);
}

/// The part of y that is a tile.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE constexpr tile_runs<T> output_runs(T* y, tile_geometry const& g,
                                                                    tile_frame const& f,
                                                                    tile_position const& t) noexcept
{
  std::int64_t const plane = static_cast<std::int64_t>(f.output_height) * f.output_width;
  return staging::runs_of<T>(y + t.plane * plane + t.column, plane, t.planes, f.output_width,
                             t.columns, g.whole_planes, g.whole_rows, g.output_plane,
                             g.output_pitch);
}

/// Where a thread finds the rows of one of a tile's planes in a chunk's area.
template <typename T>
class plane_place {
 public:
  /// @param runs         Of the tile, in one tensor.
  /// @param whole_planes As the geometry has it.
  /// @param plane        Of the tile's planes, as the runs count them.
  /// @param plane_size   From one plane to the next in an area of whole planes.
  DWCONV_HOST_DEVICE plane_place(tile_runs<T> const& runs, bool whole_planes, int plane,
                                 int plane_size)
    : offset_{whole_planes ? plane * plane_size : plane * runs.area_stride},
      row_pitch_{runs.row_pitch},
      alignment_{static_cast<unsigned>(
        reinterpret_cast<std::uintptr_t>(runs.run(whole_planes ? 0 : plane, 0)) / sizeof(T))}
  {}

  /// Where the plane begins in a chunk's area, but for how far past a 16-byte boundary it lies.
  [[nodiscard]] DWCONV_HOST_DEVICE int offset() const { return offset_; }

  /// How row 0 of the plane is aligned in memory, in elements.
  [[nodiscard]] DWCONV_HOST_DEVICE unsigned alignment() const { return alignment_; }

  /// How far past a boundary it lies in a chunk that begins with row `row`: as far as in memory.
  [[nodiscard]] DWCONV_HOST_DEVICE int past(unsigned alignment, int row) const
  {
    constexpr unsigned piece = copy_bytes / sizeof(T);
    return static_cast<int>(
      (alignment + static_cast<unsigned>(row) * static_cast<unsigned>(row_pitch_)) % piece);
  }

 private:
  int offset_;
  int row_pitch_;
  unsigned alignment_;
};

}  // namespace dwconv
