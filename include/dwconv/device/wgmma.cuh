// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/shared_memory.cuh>

// Matrix products of a warpgroup: 128 neighbouring threads that start at a multiple of 128, which
// all call each of these together. They run asynchronously and read shared memory by themselves.
// sm_90a only; other architectures, sm_90 without its own features among them, trap.
//
// A matrix in shared memory is made of pieces of 8 rows of 16 bytes, 128 contiguous bytes. Source:
// PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate", "Shared Memory Matrix Layout"
// without swizzling, K-major.

DWCONV_ABI_NAMESPACE_BEGIN

/// Where the pieces of a matrix lie: 16 of A's or B's depth are two pieces beside each other, and
/// each 8 rows of A, or columns of B, have such a pair. Counted in units of 16 bytes.
class wgmma_matrix {
 public:
  /// @param first  The first piece; a multiple of 16 bytes.
  /// @param across Units from a piece to the next along the depth,
  /// @param down   and to the next 8 rows of A or columns of B.
  __device__ wgmma_matrix(void const* first, int across, int down)
    : bits_{std::uint64_t{shared_address(first) >> 4} | std::uint64_t(across) << 16 |
            std::uint64_t(down) << 32}
  {}

  /// The same pieces `units` further on; those of any shared memory are counted in 14 bits.
  [[nodiscard]] __device__ wgmma_matrix at(int units) const
  {
    wgmma_matrix moved = *this;
    moved.bits_ += static_cast<std::uint64_t>(static_cast<std::int64_t>(units));
    return moved;
  }

  [[nodiscard]] __device__ std::uint64_t bits() const { return bits_; }

 private:
  std::uint64_t bits_;
};

/// Makes this thread's earlier writes to shared memory visible to products, which another path
/// would let overtake. The warpgroup synchronises after it.
__device__ inline void fence_before_wgmma()
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  __trap();
#endif
}

/// Before the first product of a group, so that it finds the sums as the threads left them.
__device__ inline void wgmma_begin()
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#else
  __trap();
#endif
}

/// Closes the group.
__device__ inline void wgmma_commit()
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  __trap();
#endif
}

/// Waits until all products are in the sums.
__device__ inline void wgmma_wait()
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#else
  __trap();
#endif
}

/// After the last group's end and before the sums are read, which the compiler would else move to
/// where they were not complete.
template <int Count>
__device__ inline void wgmma_settle(float (&sums)[Count])
{
#pragma unroll
  for (int i = 0; i < Count; ++i) { asm volatile("" : "+f"(sums[i])::"memory"); }
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

#define DWCONV_SUMS(i)                                                                       \
  "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]), \
    "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])

#define DWCONV_WGMMA_64(type)                                                     \
  asm volatile(                                                                   \
    "{.reg .pred add; setp.eq.u32 add, 0, 0;\n"                                   \
    "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                   \
    " {"                                                                          \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, " \
    "%17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"   \
    "}, %32, %33, add, 1, 1, 0, 0;}\n"                                            \
    : DWCONV_SUMS(0), DWCONV_SUMS(8), DWCONV_SUMS(16), DWCONV_SUMS(24)            \
    : "l"(a.bits()), "l"(b.bits()))

#define DWCONV_WGMMA_112(type)                                                           \
  asm volatile(                                                                          \
    "{.reg .pred add; setp.eq.u32 add, 0, 0;\n"                                          \
    "wgmma.mma_async.sync.aligned.m64n112k16.f32." type "." type                         \
    " {"                                                                                 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, "        \
    "%17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "        \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, "        \
    "%47, %48, %49, %50, %51, %52, %53, %54, %55"                                        \
    "}, %56, %57, add, 1, 1, 0, 0;}\n"                                                   \
    : DWCONV_SUMS(0), DWCONV_SUMS(8), DWCONV_SUMS(16), DWCONV_SUMS(24), DWCONV_SUMS(32), \
      DWCONV_SUMS(40), DWCONV_SUMS(48)                                                   \
    : "l"(a.bits()), "l"(b.bits()))

#define DWCONV_WGMMA_160(type)                                                            \
  asm volatile(                                                                           \
    "{.reg .pred add; setp.eq.u32 add, 0, 0;\n"                                           \
    "wgmma.mma_async.sync.aligned.m64n160k16.f32." type "." type                          \
    " {"                                                                                  \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, "         \
    "%17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "         \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, "         \
    "%47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "         \
    "%62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, "         \
    "%77, %78, %79"                                                                       \
    "}, %80, %81, add, 1, 1, 0, 0;}\n"                                                    \
    : DWCONV_SUMS(0), DWCONV_SUMS(8), DWCONV_SUMS(16), DWCONV_SUMS(24), DWCONV_SUMS(32),  \
      DWCONV_SUMS(40), DWCONV_SUMS(48), DWCONV_SUMS(56), DWCONV_SUMS(64), DWCONV_SUMS(72) \
    : "l"(a.bits()), "l"(b.bits()))

#define DWCONV_WGMMA_224(type)                                                             \
  asm volatile(                                                                            \
    "{.reg .pred add; setp.eq.u32 add, 0, 0;\n"                                            \
    "wgmma.mma_async.sync.aligned.m64n224k16.f32." type "." type                           \
    " {"                                                                                   \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, "          \
    "%17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "          \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, "          \
    "%47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "          \
    "%62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, "          \
    "%77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, "          \
    "%92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, "         \
    "%106, %107, %108, %109, %110, %111"                                                   \
    "}, %112, %113, add, 1, 1, 0, 0;}\n"                                                   \
    : DWCONV_SUMS(0), DWCONV_SUMS(8), DWCONV_SUMS(16), DWCONV_SUMS(24), DWCONV_SUMS(32),   \
      DWCONV_SUMS(40), DWCONV_SUMS(48), DWCONV_SUMS(56), DWCONV_SUMS(64), DWCONV_SUMS(72), \
      DWCONV_SUMS(80), DWCONV_SUMS(88), DWCONV_SUMS(96), DWCONV_SUMS(104)                  \
    : "l"(a.bits()), "l"(b.bits()))

#endif

/// sums += A * B for 64 rows of A, a depth of 16 and `Columns` columns of B: 64, 112, 160 or 224.
/// Products are exact and summed in float.
///
/// sums[4 * n + i] is column 8 * n + 2 * t + i % 2 of row 16 * w + g + 8 * (i / 2) for warp w of
/// the warpgroup and lane 4 * g + t. The first Columns / 2 are used.
template <half_element T, int Columns, int Count>
__device__ inline void warpgroup_product(float (&sums)[Count], wgmma_matrix const& a,
                                         wgmma_matrix const& b)
{
  static_assert(Columns == 64 || Columns == 112 || Columns == 160 || Columns == 224);
  static_assert(Count >= Columns / 2);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  if constexpr (std::same_as<T, __half>) {
    if constexpr (Columns == 64) { DWCONV_WGMMA_64("f16"); }
    if constexpr (Columns == 112) { DWCONV_WGMMA_112("f16"); }
    if constexpr (Columns == 160) { DWCONV_WGMMA_160("f16"); }
    if constexpr (Columns == 224) { DWCONV_WGMMA_224("f16"); }
  } else {
    if constexpr (Columns == 64) { DWCONV_WGMMA_64("bf16"); }
    if constexpr (Columns == 112) { DWCONV_WGMMA_112("bf16"); }
    if constexpr (Columns == 160) { DWCONV_WGMMA_160("bf16"); }
    if constexpr (Columns == 224) { DWCONV_WGMMA_224("bf16"); }
  }
#else
  static_cast<void>(sums), static_cast<void>(a), static_cast<void>(b);
  __trap();
#endif
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#undef DWCONV_SUMS
#undef DWCONV_WGMMA_64
#undef DWCONV_WGMMA_112
#undef DWCONV_WGMMA_160
#undef DWCONV_WGMMA_224
#endif

DWCONV_ABI_NAMESPACE_END
