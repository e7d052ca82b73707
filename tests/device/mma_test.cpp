// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>
#include <vector>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/launch.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

namespace {

template <typename T>
__device__ std::uint32_t pair_of(T low, T high)
{
  std::uint16_t bits[2];
  memcpy(&bits[0], &low, 2);
  memcpy(&bits[1], &high, 2);
  return bits[0] | static_cast<std::uint32_t>(bits[1]) << 16;
}

// Fragments are filled here from the maps that mma.cuh documents, not by load_matrices: the two
// check each other.
template <typename T>
__global__ void product_kernel(T const* a, T const* b, float const* c, float* d)
{
  int const g = dwconv::lane_index() / 4, t = dwconv::lane_index() % 4;
  dwconv::mma_left left;
  for (int i = 0; i < 4; ++i) {
    int const row = g + 8 * (i % 2), column = 2 * t + 8 * (i / 2);
    left.r[i] = pair_of(a[row * 16 + column], a[row * 16 + column + 1]);
  }
  dwconv::mma_right right;
  for (int i = 0; i < 2; ++i) {
    int const row = 2 * t + 8 * i;
    right.r[i]    = pair_of(b[row * 8 + g], b[(row + 1) * 8 + g]);
  }
  dwconv::mma_sums sums;
  for (int i = 0; i < 4; ++i) { sums.r[i] = c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2]; }
  dwconv::mma_m16n8k16<T>(sums, left, right);
  dwconv::mma_m16n8k16<T>(sums, left, right);
  for (int i = 0; i < 4; ++i) { d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sums.r[i]; }
}

// The first 8 columns of A and rows of B alone; the other registers hold what must not count.
template <typename T>
__global__ void half_product_kernel(T const* a, T const* b, float* d)
{
  int const g = dwconv::lane_index() / 4, t = dwconv::lane_index() % 4;
  dwconv::mma_left left{{0, 0, 0x7fff7fffu, 0x7fff7fffu}};
  for (int i = 0; i < 2; ++i) {
    int const row = g + 8 * i;
    left.r[i]     = pair_of(a[row * 16 + 2 * t], a[row * 16 + 2 * t + 1]);
  }
  dwconv::mma_right const right{{pair_of(b[2 * t * 8 + g], b[(2 * t + 1) * 8 + g]), 0x7fff7fffu}};
  dwconv::mma_sums sums{};
  dwconv::mma_m16n8k8<T>(sums, left, right);
  for (int i = 0; i < 4; ++i) { d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sums.r[i]; }
}

// The same product with fragments from shared memory: A row by row, B transposed on the way.
template <typename T>
__global__ void staged_product_kernel(T const* a, T const* b, float* d)
{
  T* const a_tile = dwconv::dynamic_shared_memory<T>();
  T* const b_tile = a_tile + 16 * 16;
  int const lane  = dwconv::lane_index();
  for (int i = lane; i < 16 * 16; i += 32) { a_tile[i] = a[i]; }
  for (int i = lane; i < 16 * 8; i += 32) { b_tile[i] = b[i]; }
  dwconv::warp_sync();
  dwconv::mma_left left;
  dwconv::load_matrices(left.r, a_tile + (lane % 16) * 16 + lane / 16 * 8);
  dwconv::mma_right right;
  dwconv::load_matrices_transposed(right.r, b_tile + (lane % 16) * 8);
  dwconv::mma_sums sums{};
  dwconv::mma_m16n8k16<T>(sums, left, right);
  int const g = lane / 4, t = lane % 4;
  for (int i = 0; i < 4; ++i) { d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sums.r[i]; }
}

template <int Count>
__global__ void load_kernel(std::uint16_t const* in, std::uint32_t* rows, std::uint32_t* columns,
                            std::uint32_t* transposed)
{
  auto* const tile = dwconv::dynamic_shared_memory<std::uint16_t>();
  int const lane   = dwconv::lane_index();
  for (int i = lane; i < Count * 64; i += 32) { tile[i] = in[i]; }
  dwconv::warp_sync();
  std::uint16_t const* const row = tile + lane % (8 * Count) * 8;
  std::uint32_t direct[Count], across[Count];
  dwconv::load_matrices(direct, row);
  dwconv::load_matrices_transposed(across, row);
  for (int i = 0; i < Count; ++i) {
    rows[i * 32 + lane]       = direct[i];
    columns[i * 32 + lane]    = across[i];
    transposed[i * 32 + lane] = dwconv::transpose_matrix(direct[i]);
  }
}

template <typename T>
[[nodiscard]] std::vector<T> small_integers(std::size_t count, unsigned seed)
{
  std::vector<T> values;
  for (std::size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values.push_back(dwconv::from_sum<T>(static_cast<float>(static_cast<int>(seed >> 24) % 9 - 4)));
  }
  return values;
}

template <typename T>
[[nodiscard]] float product_at(std::vector<T> const& a, std::vector<T> const& b, std::size_t row,
                               std::size_t column, std::size_t depth = 16)
{
  float sum = 0;
  for (std::size_t k = 0; k < depth; ++k) {
    sum += dwconv::to_sum(a[row * 16 + k]) * dwconv::to_sum(b[k * 8 + column]);
  }
  return sum;
}

template <int Count>
void check_loads()
{
  std::vector<std::uint16_t> values(Count * 64);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::uint16_t>(257 * i + 1);
  }
  device_buffer<std::uint16_t> in{values};
  device_buffer<std::uint32_t> rows{Count * 32, poison{}}, columns{Count * 32, poison{}},
    transposed{Count * 32, poison{}};
  REQUIRE(dwconv::launch(&load_kernel<Count>, {.grid = 1, .block = 32, .shared_bytes = Count * 128},
                         test_stream(), in.data(), rows.data(), columns.data(),
                         transposed.data()) == cudaSuccess);
  REQUIRE(synchronize() == cudaSuccess);
  auto const r = rows.read(), c = columns.read(), x = transposed.read();
  for (std::size_t matrix = 0; matrix < Count; ++matrix) {
    auto const element = [&](std::size_t row, std::size_t column) {
      return std::uint32_t{values[matrix * 64 + row * 8 + column]};
    };
    for (std::size_t lane = 0; lane < 32; ++lane) {
      CAPTURE(matrix, lane);
      std::size_t const g = lane / 4, t = lane % 4;
      CHECK(r[matrix * 32 + lane] == (element(g, 2 * t) | element(g, 2 * t + 1) << 16));
      CHECK(c[matrix * 32 + lane] == (element(2 * t, g) | element(2 * t + 1, g) << 16));
      CHECK(x[matrix * 32 + lane] == c[matrix * 32 + lane]);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("mma adds a matrix product to the sums", "[device][mma]", __half, __nv_bfloat16)
{
  under_every_schedule([] {
    auto const a_values = small_integers<TestType>(16 * 16, 1);
    auto const b_values = small_integers<TestType>(16 * 8, 2);
    std::vector<float> c_values(16 * 8);
    for (std::size_t i = 0; i < c_values.size(); ++i) {
      c_values[i] = static_cast<float>(i) * 3 - 100;
    }
    device_buffer<TestType> a{a_values}, b{b_values};
    device_buffer<float> c{c_values}, d{16 * 8, poison{}};
    REQUIRE(dwconv::launch(&product_kernel<TestType>, {.grid = 1, .block = 32}, test_stream(),
                           a.data(), b.data(), c.data(), d.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = d.read();
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i / 8, i % 8);
      CHECK(found[i] == c_values[i] + 2 * product_at(a_values, b_values, i / 8, i % 8));
    }
  });
}

TEMPLATE_TEST_CASE("mma of half the depth leaves out the other half", "[device][mma]", __half,
                   __nv_bfloat16)
{
  under_every_schedule([] {
    auto const a_values = small_integers<TestType>(16 * 16, 5);
    auto const b_values = small_integers<TestType>(16 * 8, 6);
    device_buffer<TestType> a{a_values}, b{b_values};
    device_buffer<float> d{16 * 8, poison{}};
    REQUIRE(dwconv::launch(&half_product_kernel<TestType>, {.grid = 1, .block = 32}, test_stream(),
                           a.data(), b.data(), d.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = d.read();
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i / 8, i % 8);
      CHECK(found[i] == product_at(a_values, b_values, i / 8, i % 8, 8));
    }
  });
}

TEMPLATE_TEST_CASE("matrices loaded from shared memory are the fragments mma takes",
                   "[device][mma]", __half, __nv_bfloat16)
{
  under_every_schedule([] {
    auto const a_values = small_integers<TestType>(16 * 16, 3);
    auto const b_values = small_integers<TestType>(16 * 8, 4);
    device_buffer<TestType> a{a_values}, b{b_values};
    device_buffer<float> d{16 * 8, poison{}};
    REQUIRE(dwconv::launch(&staged_product_kernel<TestType>,
                           {.grid = 1, .block = 32, .shared_bytes = 768}, test_stream(), a.data(),
                           b.data(), d.data()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = d.read();
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i / 8, i % 8);
      CHECK(found[i] == product_at(a_values, b_values, i / 8, i % 8));
    }
  });
}

TEST_CASE("1, 2 and 4 matrices are loaded as they lie and transposed", "[device][mma]")
{
  under_every_schedule([] {
    check_loads<1>();
    check_loads<2>();
    check_loads<4>();
  });
}
