// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// Elements [0, count) of a contiguous run, cut where whole pieces of memory begin and end: [first,
/// last) moves in pieces, the rest one by one. `first` may lie before the run and `last` behind it,
/// where the tensor has elements.
struct run_cut {
  int first;
  int last;

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr bool has_pieces() const noexcept
  {
    return last > first;
  }
};

/// Elements from the last boundary of `bytes` to `address`.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE inline int past_boundary(T const* address,
                                                          int bytes = copy_bytes) noexcept
{
  return static_cast<int>(reinterpret_cast<std::uintptr_t>(address) % static_cast<unsigned>(bytes) /
                          sizeof(T));
}

/// For reading: outwards to whole pieces, but never past [begin, end), the tensor.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE inline run_cut cut_outwards(T const* run, int count,
                                                             T const* begin, T const* end) noexcept
{
  constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
  int const before    = past_boundary(run);
  int const behind    = (piece - past_boundary(run + count)) % piece;
  run_cut cut{-before, count + behind};
  if (run - begin < before) { cut.first += piece; }
  if (end - (run + count) < behind) { cut.last -= piece; }
  return cut;
}

/// For writing: inwards to whole pieces, from the first boundary of `bytes` to the last.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE inline run_cut cut_inwards(T const* run, int count,
                                                            int bytes) noexcept
{
  int const elements = bytes / static_cast<int>(sizeof(T));
  return {(elements - past_boundary(run, bytes)) % elements,
          count - past_boundary(run + count, bytes)};
}

}  // namespace dwconv
