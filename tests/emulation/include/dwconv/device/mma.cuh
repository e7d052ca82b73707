// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

#include <dwconv/core/element.cuh>
#include <dwconv/device/shared_memory.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

template <typename T>
concept half_element = std::same_as<T, __half> || std::same_as<T, __nv_bfloat16>;

struct mma_left {
  std::uint32_t r[4];
};

struct mma_right {
  std::uint32_t r[2];
};

struct mma_sums {
  float r[4];
};

/// What one lane brings to a product.
struct mma_operands {
  mma_sums sums;
  mma_left left;
  mma_right right;
};

template <typename Value>
[[nodiscard]] inline Value value_in(dwconv_emulation::warp_slot const& slot)
{
  Value value;
  std::memcpy(&value, slot.bytes, sizeof value);
  return value;
}

/// The low (0) or high (1) element of a register.
template <typename T>
[[nodiscard]] inline T element_in(std::uint32_t word, unsigned half)
{
  return std::bit_cast<T>(static_cast<std::uint16_t>(word >> (16 * half)));
}

template <half_element T>
[[nodiscard]] inline float float_in(std::uint32_t word, unsigned half)
{
  if constexpr (std::same_as<T, __half>) {
    return __half2float(element_in<T>(word, half));
  } else {
    return __bfloat162float(element_in<T>(word, half));
  }
}

/// Unpacks all lanes' fragments, multiplies plain matrices, and packs the sums: the fragment maps,
/// read backwards.
template <half_element T>
inline void multiply_fragments(dwconv_emulation::warp_slot* lanes)
{
  float a[16][16], b[16][8];
  for (unsigned lane = 0; lane < 32; ++lane) {
    auto const in    = value_in<mma_operands>(lanes[lane]);
    unsigned const g = lane / 4, t = lane % 4;
    for (unsigned half = 0; half < 2; ++half) {
      for (unsigned i = 0; i < 4; ++i) {
        a[g + 8 * (i % 2)][2 * t + half + 8 * (i / 2)] = float_in<T>(in.left.r[i], half);
      }
      for (unsigned i = 0; i < 2; ++i) {
        b[2 * t + half + 8 * i][g] = float_in<T>(in.right.r[i], half);
      }
    }
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    auto out = value_in<mma_operands>(lanes[lane]);
    for (unsigned i = 0; i < 4; ++i) {
      unsigned const row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
      float sum = 0;
      for (unsigned k = 0; k < 16; ++k) { sum += a[row][k] * b[k][column]; }
      out.sums.r[i] += sum;
    }
    std::memcpy(lanes[lane].bytes, &out, sizeof out);
  }
}

template <half_element T>
inline void mma_m16n8k16(mma_sums& sums, mma_left const& left, mma_right const& right)
{
  static constexpr char const* name =
    std::same_as<T, __half> ? "mma_m16n8k16<__half>" : "mma_m16n8k16<__nv_bfloat16>";
  dwconv_emulation::require_capability(80, name);
  dwconv_emulation::require_full_warp(name);
  mma_operands const mine{sums, left, right};
  auto const* const slots =
    dwconv_emulation::warp_exchange(name, &mine, sizeof mine, multiply_fragments<T>);
  sums = value_in<mma_operands>(slots[dwconv_emulation::linear_thread % 32]).sums;
}

template <half_element T>
inline void mma_m16n8k8(mma_sums& sums, mma_left const& left, mma_right const& right)
{
  mma_m16n8k16<T>(sums, {{left.r[0], left.r[1], 0, 0}}, {{right.r[0], 0}});
}

/// Lanes hand in row addresses and take out registers.
template <int Count, bool Transposed>
inline void gather_matrices(dwconv_emulation::warp_slot* lanes)
{
  std::uint16_t matrix[Count][8][8];
  for (unsigned row = 0; row < 8 * Count; ++row) {
    auto const* const address = value_in<void const*>(lanes[row]);
    dwconv_emulation::require_shared(address, 16, "load_matrices");
    if (reinterpret_cast<std::uintptr_t>(address) % 16 != 0) {
      dwconv_emulation::fail("load_matrices of a row whose address is not a multiple of 16");
    }
    std::memcpy(matrix[row / 8][row % 8], address, 16);
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned const g = lane / 4, t = lane % 4;
    std::uint32_t out[Count];
    for (unsigned i = 0; i < Count; ++i) {
      std::uint32_t const low  = Transposed ? matrix[i][2 * t][g] : matrix[i][g][2 * t];
      std::uint32_t const high = Transposed ? matrix[i][2 * t + 1][g] : matrix[i][g][2 * t + 1];
      out[i]                   = low | high << 16;
    }
    std::memcpy(lanes[lane].bytes, out, sizeof out);
  }
}

template <int Count, bool Transposed>
inline void exchange_matrices(std::uint32_t (&r)[Count], void const* row)
{
  static_assert(Count == 1 || Count == 2 || Count == 4, "ldmatrix reads 1, 2 or 4 matrices");
  static constexpr char const* name = Transposed ? "load_matrices_transposed" : "load_matrices";
  dwconv_emulation::require_full_warp(name);
  auto const* const slots =
    dwconv_emulation::warp_exchange(name, &row, sizeof row, gather_matrices<Count, Transposed>);
  std::memcpy(r, slots[dwconv_emulation::linear_thread % 32].bytes, sizeof r);
}

template <int Count>
inline void load_matrices(std::uint32_t (&r)[Count], void const* row)
{
  exchange_matrices<Count, false>(r, row);
}

template <int Count>
inline void load_matrices_transposed(std::uint32_t (&r)[Count], void const* row)
{
  exchange_matrices<Count, true>(r, row);
}

[[nodiscard]] inline std::uint32_t transpose_matrix(std::uint32_t row_pair)
{
  dwconv_emulation::require_full_warp("transpose_matrix");
  auto const* const slots =
    dwconv_emulation::warp_exchange("transpose_matrix", &row_pair, sizeof row_pair);
  unsigned const lane = dwconv_emulation::linear_thread % 32, g = lane / 4, t = lane % 4;
  // Element (row, column) lies in lane 4 * row + column / 2.
  auto const element = [&](unsigned row, unsigned column) {
    return std::uint32_t{
      element_in<std::uint16_t>(value_in<std::uint32_t>(slots[4 * row + column / 2]), column % 2)};
  };
  return element(2 * t, g) | element(2 * t + 1, g) << 16;
}

DWCONV_ABI_NAMESPACE_END
