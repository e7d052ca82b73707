// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/shared_cursor.cuh>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/kernels/toeplitz/tile.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Gives complete sums to the epilogue and keeps the results for the store, or stores them. A lane
/// has two neighbouring columns of each of two slots.
///
/// @tparam Kept   Results are kept in shared memory; otherwise they go to y.
/// @tparam Pairs  Rows of results have even lengths and begin at even addresses.
/// @tparam Along  What is next lies on the same row.
/// @tparam Shifts There may be a second column without a first.
template <typename T, typename Epilogue, bool Kept, bool Pairs, bool Along, bool Shifts>
struct toeplitz_retire {
  /// One of the lane's two slots.
  struct half {
    output_coordinate at;  ///< Of its next row, the lane's first column.
    std::conditional_t<Kept, shared_cursor<T>, T*> kept;  ///< Where that result goes.
    unsigned rows[2];  ///< Of either column; none where there are no such outputs.
  };

  half slot[2];
  int row;         ///< The next one of every slot; not one of them where negative.
  int kept_pitch;  ///< From one row of a slot to its next.
  int row_step;
  int offset_step;
  Epilogue const& epilogue;

  /// Takes rows in their order.
  __device__ void operator()(mma_sums const& sums)
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      half& h                = slot[s];
      auto const here        = static_cast<unsigned>(row);
      output_coordinate next = h.at;
      ++next.column;
      ++next.offset;
      if constexpr (Shifts) {
        bool const one     = here < h.rows[0];
        bool const other   = here < h.rows[1];
        float const first  = one ? epilogue(sums.r[2 * s], h.at) : 0.0f;
        float const second = other ? epilogue(sums.r[2 * s + 1], next) : 0.0f;
        auto const pair    = pair_from_sums<T>(first, second);
        if (one) { h.kept.template store_half<0>(pair); }
        if (other) { h.kept.template store_half<1>(pair); }
      } else if (here < h.rows[0]) {
        if constexpr (Pairs) {
          auto const pair =
            pair_from_sums<T>(epilogue(sums.r[2 * s], h.at), epilogue(sums.r[2 * s + 1], next));
          if constexpr (Kept) {
            h.kept.store_pair(pair);
          } else {
            store_pair(h.kept, pair);
          }
        } else {
          float const first  = epilogue(sums.r[2 * s], h.at);
          bool const both    = here < h.rows[1];
          float const second = both ? epilogue(sums.r[2 * s + 1], next) : 0.0f;
          auto const pair    = pair_from_sums<T>(first, second);
          h.kept.template store_half<0>(pair);
          if (both) { h.kept.template store_half<1>(pair); }
        }
      }
      if constexpr (Kept) {
        h.kept.advance(kept_pitch);
      } else {
        h.kept += kept_pitch;
      }
      h.at.row += Along ? 0 : row_step;
      h.at.column += Along ? toeplitz_stretch : 0;
      h.at.offset += Along ? toeplitz_stretch : offset_step;
    }
    ++row;
  }
};

DWCONV_ABI_NAMESPACE_END
