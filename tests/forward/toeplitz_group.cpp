// SPDX-License-Identifier: Apache-2.0
// Large filters multiplied by warpgroups, against the reference: where slots, strips, runs, windows
// of columns and stages of rows end; every alignment; filters that reach over the whole plane.
#include <algorithm>

#include "forward/toeplitz_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::padding2;

namespace {

/// A problem's planned tile, or one that a test asks for.
struct group_door {
  dwconv::toeplitz_tile tile{};  ///< Of one row: the planned one.
  bool turned = false;           ///< The filter, by 180 degrees.

  template <typename T>
  [[nodiscard]] dwconv::status operator()(conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    dwconv::toeplitz_policy policy{};
    policy.groups  = true;
    policy.threads = dwconv::toeplitz_group_threads;
    policy.tile = tile.rows > 1 ? tile : dwconv::toeplitz_group_tile(problem, dwconv::h200_facts);
    auto const shape = dwconv::launch_shape{
      .grid         = dim3(static_cast<unsigned>(dwconv::toeplitz_tiles::blocks(problem, policy))),
      .block        = dim3(static_cast<unsigned>(policy.threads)),
      .shared_bytes = static_cast<unsigned>(dwconv::toeplitz_tiles::shared_bytes(problem, policy))};
    auto const launched =
      dwconv::launch(&dwconv::toeplitz_group_kernel<T, dwconv::epilogue::identity>, shape, stream,
                     dwconv::toeplitz_group_params<T>{problem, tensors, policy.tile, turned},
                     dwconv::epilogue::identity{});
    return launched == cudaSuccess
             ? dwconv::status{}
             : dwconv::status{.code = dwconv::status_code::cuda_error, .argument = "launch"};
  }
};

/// The last column, or row, of the plane is met by the filter's middle.
[[nodiscard]] conv2d_problem centred(std::int64_t batch, extent2 input, extent2 filter)
{
  return {.batch    = batch,
          .channels = 2,
          .input    = input,
          .filter   = filter,
          .pad      = {filter.height / 2, filter.height / 2, filter.width / 2, filter.width / 2}};
}

}  // namespace

TEST_CASE("warpgroups: planes and filters of any size", "[toeplitz_group]")
{
  std::size_t next = 0;
  for (auto const& p : {centred(3, {20, 20}, {31, 31}), centred(2, {56, 56}, {31, 31}),
                        centred(5, {28, 28}, {29, 29}), centred(9, {14, 14}, {27, 27}),
                        centred(17, {7, 7}, {13, 13}), centred(1, {1, 1}, {13, 13}),
                        centred(1, {61, 10}, {12, 3}), centred(1, {12, 140}, {15, 33}),
                        centred(2, {33, 17}, {40, 1}), centred(70, {3, 5}, {17, 9})}) {
    CHECK(toeplitz_agrees(next, p, next % 4, group_door{}));
    ++next;
  }
}

TEST_CASE("warpgroups: paddings of any kind, multipliers, odd widths", "[toeplitz_group]")
{
  dice random{11};
  for (std::size_t next = 0; next < 12; ++next) {
    conv2d_problem p{.batch      = random.between(1, 5),
                     .channels   = random.between(1, 3),
                     .multiplier = random.between(1, 2),
                     .input      = {random.between(1, 40), random.between(1, 40)},
                     .filter     = {random.between(12, 30), random.between(1, 36)},
                     .pad = {random.between(0, 35), random.between(0, 35), random.between(0, 40),
                             random.between(0, 40)}};
    while (p.input.height + p.pad.top + p.pad.bottom < p.filter.height) { ++p.input.height; }
    while (p.input.width + p.pad.left + p.pad.right < p.filter.width) { ++p.input.width; }
    CHECK(toeplitz_agrees(next, p, {next % 8, next % 3, next / 2 % 8}, group_door{}));
  }
}

TEST_CASE("warpgroups: tiles of runs of rows, strips and windows", "[toeplitz_group]")
{
  std::size_t next = 0;
  auto const p     = centred(3, {100, 30}, {15, 17});
  for (dwconv::toeplitz_tile const tile :
       {dwconv::toeplitz_tile{.images = 1, .rows = 112, .columns = 30},
        {.images = 3, .rows = 28, .columns = 30},
        {.images = 2, .rows = 9, .columns = 16},
        {.images = 4, .rows = 37, .columns = 24}}) {
    CHECK(toeplitz_agrees(next, p, next % 3, group_door{tile}));
    ++next;
  }
}

TEST_CASE("warpgroups: turned filters", "[toeplitz_group]")
{
  for (extent2 const filter : {extent2{13, 13}, {26, 31}, {17, 8}}) {
    auto const p     = centred(3, {19, 22}, filter);
    auto const c     = real_case<__half>(p, 3);
    auto reversed    = c;
    auto const plane = filter.height * filter.width;
    for (auto first = reversed.filter.begin(); first != reversed.filter.end(); first += plane) {
      std::reverse(first, first + plane);
    }
    auto const wanted = output_of(reversed, group_door{}, 0);
    REQUIRE(wanted.size() == y_size(p));
    CHECK(same_bits(output_of(c, group_door{{}, true}, 0), wanted));
  }
}

TEST_CASE("warpgroups: every alignment of x and y", "[toeplitz_group]")
{
  for (std::size_t at = 0; at < 8; ++at) {
    auto const p = centred(2, {16, 16 + static_cast<std::int64_t>(at % 5)}, {13, 13});
    CHECK(toeplitz_agrees(at, p, {at, 1, 7 - at}, group_door{}));
  }
}

TEST_CASE("warpgroups: the same bits in every order of threads", "[toeplitz_group]")
{
  auto const p      = centred(2, {17, 12}, {15, 13});
  auto const c      = real_case<__half>(p, 5);
  auto const wanted = output_of(c, group_door{}, 3);
  REQUIRE(wanted.size() == y_size(p));
  under_every_schedule([&] { CHECK(same_bits(output_of(c, group_door{}, 1), wanted)); });
}

TEST_CASE("warpgroups: only where the code is compiled for them, and filters are high",
          "[toeplitz_group]")
{
  auto p      = centred(32, {28, 28}, {31, 31});
  p.channels  = 256;
  auto device = dwconv::h200_facts;
  CHECK(dwconv::choose_toeplitz_policy(p, device).groups);
  for (auto const other : {&conv2d_problem::batch, &conv2d_problem::channels}) {
    auto few   = p;
    few.*other = 1;
    CHECK_FALSE(dwconv::choose_toeplitz_policy(few, device).groups);
  }
  auto low   = p;
  low.filter = {7, 31};
  CHECK_FALSE(dwconv::choose_toeplitz_policy(low, device).groups);
  device.warpgroup_products = false;
  CHECK_FALSE(dwconv::choose_toeplitz_policy(p, device).groups);
}
