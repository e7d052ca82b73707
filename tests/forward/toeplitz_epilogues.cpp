// SPDX-License-Identifier: Apache-2.0
// Epilogues of the toeplitz family: told where they are, called once an output, safe in place.
#include "forward/epilogue_case.hpp"
#include "forward/toeplitz_case.hpp"

using dwconv::conv2d_problem;

namespace {

/// Of an offset, what a half holds exactly.
[[nodiscard]] __host__ __device__ constexpr int folded(std::int64_t offset)
{
  return static_cast<int>((offset ^ offset >> 11) & 2047);
}

/// A part of an output's place, small enough for a half type; without a branch, which the compiler
/// would take out of unrolled steps at the price of registers.
struct tells_where {
  int what;
  __device__ float operator()(float, dwconv::output_coordinate const& at) const
  {
    int const parts[]{folded(at.offset), static_cast<int>(at.batch * 100 + at.channel),
                      static_cast<int>(at.row), static_cast<int>(at.column)};
    int told = 0;
    for (int part = 0; part < 4; ++part) { told |= parts[part] & -static_cast<int>(part == what); }
    return static_cast<float>(told);
  }
};

struct counts_calls {
  int* calls;
  __device__ float operator()(float sum, dwconv::output_coordinate const& at) const
  {
    ++calls[at.offset];
    return sum;
  }
};

/// Whole planes of several images, strips, windows of columns; held, slid and read filters.
std::vector<conv2d_problem> problems()
{
  return {{.batch      = 17,
           .channels   = 3,
           .multiplier = 2,
           .input      = {5, 7},
           .filter     = {3, 3},
           .pad        = {1, 1, 1, 1}},
          {.batch      = 2,
           .channels   = 1,
           .multiplier = 3,
           .input      = {74, 230},
           .filter     = {5, 5},
           .stride     = {2, 2},
           .pad        = {1, 1, 1, 1}},
          {.batch = 1, .channels = 1, .input = {18, 1041}, .filter = {8, 4}, .pad = {1, 0, 2, 1}}};
}

}  // namespace

TEST_CASE("toeplitz: an epilogue is told where in y it is", "[toeplitz_epilogues]")
{
  for (conv2d_problem const& p : problems()) {
    auto const c = integer_case<__half>(p);
    std::vector<std::vector<__half>> told;
    for (int what = 0; what < 4; ++what) {
      told.push_back(output_of(c, toeplitz_door<tells_where>{.epilogue = {what}}));
      REQUIRE(told.back().size() == y_size(p));
    }
    int wrong = 0;
    for_each_output(p, [&](place const& at) {
      auto const is = [&](std::size_t what, std::int64_t value) {
        return dwconv_reference::to_double(told[what][at.offset]) == static_cast<double>(value);
      };
      wrong += !is(0, folded(static_cast<std::int64_t>(at.offset))) ||
               !is(1, at.batch * 100 + at.channel) || !is(2, at.row) || !is(3, at.column);
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("toeplitz: an epilogue is called once an output", "[toeplitz_epilogues]")
{
  for (conv2d_problem const& p : problems()) {
    for (std::size_t const aligned : {0, 1}) {
      device_buffer<int> calls{std::vector<int>(y_size(p), 0)};
      CHECK(!output_of(integer_case<__half>(p),
                       toeplitz_door<counts_calls>{.epilogue = {calls.data()}}, aligned)
               .empty());
      CHECK(calls.read() == std::vector<int>(y_size(p), 1));
      CHECK(calls.canaries_intact());
    }
  }
}

TEST_CASE("toeplitz: a tile adds to a residual in its own place", "[toeplitz_epilogues]")
{
  using dwconv::epilogue::residual;
  for (conv2d_problem const& p : problems()) {
    auto const c      = integer_case<__half>(p);
    auto const before = integers<__half>(y_size(p), 37);
    auto const sums   = output_of(c, toeplitz_door<>{});
    REQUIRE(sums.size() == y_size(p));
    device_buffer<__half> x{c.x}, filter{c.filter}, y{before, 3};
    REQUIRE(toeplitz_door<residual<__half>>{.epilogue = {y.data()}}(
              p, dwconv::forward_tensors<__half>{x.data(), filter.data(), y.data()}, test_stream())
              .ok());
    REQUIRE(synchronize() == cudaSuccess);
    auto const after = y.read();
    int wrong        = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      using dwconv_reference::to_double;
      wrong += to_double(after[i]) != to_double(sums[i]) + to_double(before[i]);
    }
    CHECK(wrong == 0);
    CHECK(y.canaries_intact());
  }
}
