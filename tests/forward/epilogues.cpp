// SPDX-License-Identifier: Apache-2.0
#include "forward/epilogue_case.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;
namespace epilogue = dwconv::epilogue;

namespace {

conv2d_problem problem_in(layout order)
{
  return {.batch       = 2,
          .channels    = 3,
          .multiplier  = 2,
          .input       = {7, 9},
          .filter      = {3, 2},
          .stride      = {1, 2},
          .pad         = {1, 1, 0, 1},
          .data_layout = order};
}

template <typename T>
double value(std::vector<T> const& values, std::int64_t index)
{
  return dwconv_reference::to_double(values[static_cast<std::size_t>(index)]);
}

/// A stage of a user's own: no base class, no check, state by value.
struct tells_where {
  bool offset;
  __device__ float operator()(float sum, dwconv::output_coordinate const& at) const
  {
    return offset ? static_cast<float>(at.offset)
                  : sum * 0 + static_cast<float>(((at.batch * 10 + at.channel) * 10 + at.row) * 10 +
                                                 at.column);
  }
};

/// Counts its calls, one counter an output.
struct counts_calls {
  int* calls;
  __device__ float operator()(float sum, dwconv::output_coordinate const& at) const
  {
    ++calls[at.offset];
    return sum;
  }
};

}  // namespace

TEST_CASE("bias adds one value per output channel", "[epilogues]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto const values = reals<float>(6, 31);
    device_buffer<float> const bias{values};
    CHECK(agrees_with(real_case<float>(problem_in(order)), epilogue::bias<float>{bias.data()},
                      [&](double x, place const& at) { return x + value(values, at.channel); }));
    CHECK(bias.canaries_intact());
  }
}

TEST_CASE("scale_shift multiplies and adds per output channel", "[epilogues]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto const scales = reals<float>(6, 32), shifts = reals<float>(6, 33);
    device_buffer<float> const scale{scales}, shift{shifts};
    epilogue::scale_shift<float> const stage{scale.data(), shift.data()};
    CHECK(agrees_with(
      real_case<float>(problem_in(order)), stage,
      [&](double x, place const& at) {
        return x * value(scales, at.channel) + value(shifts, at.channel);
      },
      4));
  }
}

TEST_CASE("residual adds a tensor shaped as y", "[epilogues]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto const values = reals<float>(y_size(problem_in(order)), 34);
    device_buffer<float> const residual{values};
    CHECK(agrees_with(real_case<float>(problem_in(order)),
                      epilogue::residual<float>{residual.data()}, [&](double x, place const& at) {
                        return x + value(values, static_cast<std::int64_t>(at.offset));
                      }));
  }
}

TEST_CASE("a chain applies its stages from left to right", "[epilogues]")
{
  auto const values = reals<__half>(6, 35);
  device_buffer<__half> const bias{values};
  auto const c = real_case<__half>(problem_in(layout::nhwc));
  CHECK(agrees_with(
    c, epilogue::bias<__half>{bias.data()} | epilogue::relu{},
    [&](double x, place const& at) { return std::fmax(x + value(values, at.channel), 0); }));
  CHECK(agrees_with(
    c, epilogue::relu{} | epilogue::bias<__half>{bias.data()},
    [&](double x, place const& at) { return std::fmax(x, 0) + value(values, at.channel); }));
}

TEST_CASE("a chain of three, with a bias wider than the tensors", "[epilogues]")
{
  auto const values = reals<float>(6, 36);
  device_buffer<float> const bias{values};
  CHECK(agrees_with(real_case<__nv_bfloat16>(problem_in(layout::nchw)),
                    epilogue::bias<float>{bias.data()} | epilogue::relu6{} | epilogue::relu{},
                    [&](double x, place const& at) {
                      return std::fmin(std::fmax(x + value(values, at.channel), 0), 6);
                    }));
}

TEST_CASE("a stage is told where in y it is", "[epilogues]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto const c       = integer_case<float>(problem_in(order));
    auto const offsets = output_of(c, door_with{tells_where{true}});
    auto const places  = output_of(c, door_with{tells_where{false}});
    REQUIRE(places.size() == y_size(c.problem));
    REQUIRE(offsets.size() == y_size(c.problem));
    int wrong = 0;
    for_each_output(c.problem, [&](place const& at) {
      auto const code =
        static_cast<float>(((at.batch * 10 + at.channel) * 10 + at.row) * 10 + at.column);
      wrong += places[at.offset] != code || offsets[at.offset] != static_cast<float>(at.offset);
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("a stage is called once per output", "[epilogues]")
{
  auto const c = integer_case<float>(problem_in(layout::nchw));
  device_buffer<int> calls{std::vector<int>(y_size(c.problem), 0)};
  CHECK(!output_of(c, door_with{counts_calls{calls.data()}}).empty());
  CHECK(calls.read() == std::vector<int>(y_size(c.problem), 1));
}

TEST_CASE("residual may be y itself: y += x * filter", "[epilogues]")
{
  auto const c      = integer_case<float>(problem_in(layout::nhwc));
  auto const before = integers<float>(y_size(c.problem), 37);
  device_buffer<float> x{c.x}, filter{c.filter}, y{before};
  REQUIRE(dwconv::forward<float>(c.problem, {x.data(), filter.data(), y.data()}, test_stream(),
                                 epilogue::residual<float>{y.data()})
            .ok());
  REQUIRE(synchronize() == cudaSuccess);
  auto const after = y.read();
  auto const sums  = dwconv_reference::forward(c.problem, c.x, c.filter);
  int wrong        = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    wrong += static_cast<double>(after[i]) != sums[i].value + static_cast<double>(before[i]);
  }
  CHECK(wrong == 0);
}
