// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <dwconv/core/element.cuh>
#include <dwconv/device/architecture.cuh>
#include <dwconv/device/mma.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

/// Units of 16 bytes from the start of the block's shared memory.
class wgmma_matrix {
 public:
  wgmma_matrix(void const* first, int across, int down) : across_{across}, down_{down}
  {
    dwconv_emulation::require_shared(first, 16, "wgmma_matrix");
    auto const begin = reinterpret_cast<std::uintptr_t>(dwconv_emulation::shared_memory());
    auto const bytes = reinterpret_cast<std::uintptr_t>(first) - begin;
    if (bytes % 16 != 0) {
      dwconv_emulation::fail("wgmma_matrix that begins at no multiple of 16");
    }
    constexpr int most = 1 << 14;
    if (across < 0 || across >= most || down < 0 || down >= most) {
      dwconv_emulation::fail("wgmma_matrix whose pieces are too far apart");
    }
    first_ = static_cast<int>(bytes / 16);
  }

  [[nodiscard]] wgmma_matrix at(int units) const
  {
    wgmma_matrix moved = *this;
    moved.first_ += units;
    return moved;
  }

  /// Element k, 0 to 15, of a row of A or a column of B.
  template <half_element T>
  [[nodiscard]] float element(int row, int k) const
  {
    int const unit   = first_ + row / 8 * down_ + k / 8 * across_ + row % 8;
    auto* const from = static_cast<unsigned char const*>(dwconv_emulation::shared_memory()) +
                       (static_cast<std::ptrdiff_t>(unit) * 16 + k % 8 * 2);
    dwconv_emulation::require_shared(from, 2, "wgmma");
    T value;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::same_as<T, __half>) {
      return __half2float(value);
    } else {
      return __bfloat162float(value);
    }
  }

 private:
  int first_;
  int across_;
  int down_;
};

/// What a thread has asked for and does not have yet. Products are performed when it waits, from
/// what shared memory holds then, or at once, as copies are.
class wgmma_queue {
 public:
  [[nodiscard]] static wgmma_queue& mine()
  {
    static std::array<wgmma_queue, 1024> queues;
    return queues[dwconv_emulation::linear_thread];
  }

  /// A queue of a launch that failed is of no use to the next.
  void begin()
  {
    waiting_.clear();
    open_ = true;
  }

  void add(float* sums, int columns, wgmma_matrix const& a, wgmma_matrix const& b,
           void (*perform)(float*, int, wgmma_matrix const&, wgmma_matrix const&))
  {
    if (!open_) { dwconv_emulation::fail("wgmma outside of a group"); }
    if (dwconv_emulation::current_schedule().copy_timing == dwconv_emulation::copies::early) {
      perform(sums, columns, a, b);
    } else {
      waiting_.push_back({sums, columns, a, b, perform});
    }
  }

  void end()
  {
    for (product const& each : waiting_) { each.perform(each.sums, each.columns, each.a, each.b); }
    waiting_.clear();
    open_ = false;
  }

 private:
  struct product {
    float* sums;
    int columns;
    wgmma_matrix a;
    wgmma_matrix b;
    void (*perform)(float*, int, wgmma_matrix const&, wgmma_matrix const&);
  };

  std::vector<product> waiting_;
  bool open_ = false;
};

inline void fence_before_wgmma()
{
  dwconv_emulation::require_capability(90, "fence_before_wgmma");
}

inline void wgmma_begin()
{
  dwconv_emulation::require_capability(90, "wgmma_begin");
  dwconv_emulation::require_full_warp("wgmma_begin");
  wgmma_queue::mine().begin();
}

inline void wgmma_commit()
{
  dwconv_emulation::require_full_warp("wgmma_commit");
}

inline void wgmma_wait()
{
  dwconv_emulation::warp_barrier();
  wgmma_queue::mine().end();
}

template <int Count>
inline void wgmma_settle(float (&)[Count])
{}

/// This thread's sums of a product: nothing is exchanged, since all that is multiplied lies in
/// shared memory.
template <half_element T>
inline void multiply_from_shared(float* sums, int columns, wgmma_matrix const& a,
                                 wgmma_matrix const& b)
{
  int const thread = static_cast<int>(dwconv_emulation::linear_thread) % warpgroup_threads;
  int const g = thread % 32 / 4, t = thread % 4;
  float rows[2][16];
  for (int half = 0; half < 2; ++half) {
    for (int k = 0; k < 16; ++k) {
      rows[half][k] = a.element<T>(thread / 32 * 16 + g + 8 * half, k);
    }
  }
  for (int n = 0; n < columns / 8; ++n) {
    for (int j = 0; j < 2; ++j) {
      float column[16];
      for (int k = 0; k < 16; ++k) { column[k] = b.element<T>(8 * n + 2 * t + j, k); }
      for (int half = 0; half < 2; ++half) {
        float sum = 0;
        for (int k = 0; k < 16; ++k) { sum += rows[half][k] * column[k]; }
        sums[4 * n + 2 * half + j] += sum;
      }
    }
  }
}

template <half_element T, int Columns, int Count>
inline void warpgroup_product(float (&sums)[Count], wgmma_matrix const& a, wgmma_matrix const& b)
{
  static_assert(Columns == 64 || Columns == 112 || Columns == 160 || Columns == 224);
  static_assert(Count >= Columns / 2);
  dwconv_emulation::require_capability(90, "wgmma");
  wgmma_queue::mine().add(sums, Columns, a, b, multiply_from_shared<T>);
}

DWCONV_ABI_NAMESPACE_END
