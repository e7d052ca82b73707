// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>

#include <dwconv/core/element.cuh>
#include <dwconv/device/shared_memory.cuh>

// Warp-wide matrix instructions on 16-bit elements. All 32 lanes call each of them together.
//
// Fragments: lane = 4 * g + t with g from 0 to 7 and t from 0 to 3. A register holds two elements,
// the first in its low half. Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating
// point type", "ldmatrix", "movmatrix".

DWCONV_ABI_NAMESPACE_BEGIN

/// What the matrix instructions multiply.
template <typename T>
concept half_element = std::same_as<T, __half> || std::same_as<T, __nv_bfloat16>;

/// A of A * B, 16 rows by 16: r[0] is row g, columns 2t and 2t + 1; r[1] row g + 8, same columns;
/// r[2] row g, columns 2t + 8 and 2t + 9; r[3] row g + 8, columns 2t + 8 and 2t + 9.
struct mma_left {
  std::uint32_t r[4];
};

/// B of A * B, 16 by 8 columns: r[0] is column g, rows 2t and 2t + 1; r[1] column g, rows 2t + 8
/// and 2t + 9.
struct mma_right {
  std::uint32_t r[2];
};

/// Sums, 16 rows by 8 columns: r[0] and r[1] are row g, columns 2t and 2t + 1; r[2] and r[3] row g
/// + 8, same columns.
struct mma_sums {
  float r[4];
};

/// sums += left * right, products exact, summed in float. sm_80 or newer; sm_75 traps.
template <half_element T>
__device__ inline void mma_m16n8k16(mma_sums& sums, mma_left const& left, mma_right const& right)
{
#if __CUDA_ARCH__ >= 800
  if constexpr (std::same_as<T, __half>) {
    asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, "
      "%9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums.r[0]), "+f"(sums.r[1]), "+f"(sums.r[2]), "+f"(sums.r[3])
      : "r"(left.r[0]), "r"(left.r[1]), "r"(left.r[2]), "r"(left.r[3]), "r"(right.r[0]),
        "r"(right.r[1]));
  } else {
    asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums.r[0]), "+f"(sums.r[1]), "+f"(sums.r[2]), "+f"(sums.r[3])
      : "r"(left.r[0]), "r"(left.r[1]), "r"(left.r[2]), "r"(left.r[3]), "r"(right.r[0]),
        "r"(right.r[1]));
  }
#else
  static_cast<void>(sums), static_cast<void>(left), static_cast<void>(right);
  __trap();
#endif
}

/// The same of the first 8 columns of A and rows of B only: left.r[0] and [1], right.r[0].
template <half_element T>
__device__ inline void mma_m16n8k8(mma_sums& sums, mma_left const& left, mma_right const& right)
{
#if __CUDA_ARCH__ >= 800
  if constexpr (std::same_as<T, __half>) {
    asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, "
      "%2, %3};"
      : "+f"(sums.r[0]), "+f"(sums.r[1]), "+f"(sums.r[2]), "+f"(sums.r[3])
      : "r"(left.r[0]), "r"(left.r[1]), "r"(right.r[0]));
  } else {
    asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, "
      "%1, %2, %3};"
      : "+f"(sums.r[0]), "+f"(sums.r[1]), "+f"(sums.r[2]), "+f"(sums.r[3])
      : "r"(left.r[0]), "r"(left.r[1]), "r"(right.r[0]));
  }
#else
  static_cast<void>(sums), static_cast<void>(left), static_cast<void>(right);
  __trap();
#endif
}

/// Reads Count 8 by 8 matrices of 16-bit elements from shared memory (PTX: ldmatrix).
///
/// Lane 8 * i + j gives the address of row j of matrix i: 16 bytes, a multiple of 16. Lanes from 8
/// * Count on give any valid such address (sm_75 wants one). r[i] is row g of matrix i, columns 2t
/// and 2t + 1.
template <int Count>
__device__ inline void load_matrices(std::uint32_t (&r)[Count], void const* row)
{
  static_assert(Count == 1 || Count == 2 || Count == 4, "ldmatrix reads 1, 2 or 4 matrices");
  if constexpr (Count == 1) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(shared_address(row))
                 : "memory");
  } else if constexpr (Count == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  }
}

/// As load_matrices, each matrix transposed on the way: r[i] is column g of matrix i, rows 2t and
/// 2t + 1.
template <int Count>
__device__ inline void load_matrices_transposed(std::uint32_t (&r)[Count], void const* row)
{
  static_assert(Count == 1 || Count == 2 || Count == 4, "ldmatrix reads 1, 2 or 4 matrices");
  if constexpr (Count == 1) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(shared_address(row))
                 : "memory");
  } else if constexpr (Count == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  }
}

/// Transposes an 8 by 8 matrix of 16-bit elements held by the warp (PTX: movmatrix): takes row g,
/// columns 2t and 2t + 1, and returns column g, rows 2t and 2t + 1.
[[nodiscard]] __device__ inline std::uint32_t transpose_matrix(std::uint32_t row_pair)
{
  std::uint32_t column_pair;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(column_pair) : "r"(row_pair));
  return column_pair;
}

DWCONV_ABI_NAMESPACE_END
