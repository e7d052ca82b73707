// SPDX-License-Identifier: Apache-2.0
// The toeplitz family against the reference: where blocks of columns, slots, strips, windows of
// columns and groups of planes end; every alignment; filters of each of its engines.
#include <algorithm>
#include <array>

#include "forward/toeplitz_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::padding2;

namespace {

/// Tiles so small that small planes are cut into strips and windows of columns.
toeplitz_door<> const small_tiles{.aim = {.staged_bytes = 512,
                                          .plane_bytes  = 600,
                                          .most_columns = 24,
                                          .halo_rows    = 1,
                                          .shared_bytes = 9000,
                                          .warps        = 2,
                                          .walk         = 6,
                                          .stack_height = 1,
                                          .stack_width  = 1}};

/// As if the GPU were so small that any work fills it: walks are as long as they may.
dwconv::device_facts const no_device = [] {
  auto device            = dwconv::h200_facts;
  device.multiprocessors = 0;
  return device;
}();

/// Whether the filter's window fits the padded image, as a valid problem has it.
[[nodiscard]] bool fits(conv2d_problem const& p)
{
  return dwconv::padded_input(p).height >= dwconv::filter_span(p).height &&
         dwconv::padded_input(p).width >= dwconv::filter_span(p).width;
}

}  // namespace

TEST_CASE("toeplitz: planes of every size, as tiles of whole planes and cut into parts",
          "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t height = 1; height <= 40; height += 1 + height / 6) {
    for (std::int64_t width = 1; width <= 40; width += 1 + width / 16) {
      for (int which = 0; which < 2; ++which) {
        ++next;
        auto const k      = std::int64_t{3} + static_cast<std::int64_t>(next / 2 % 3) * 2;
        auto const stride = 1 + static_cast<std::int64_t>(next / 5 % 2);
        conv2d_problem const p{.batch    = 1 + static_cast<std::int64_t>(next % 5),
                               .channels = 1 + static_cast<std::int64_t>(next / 3 % 4),
                               .input    = {height, width},
                               .filter   = {k, k},
                               .stride   = {stride, stride},
                               .pad      = {k / 2, k / 2, k / 2, k / 2}};
        CHECK(toeplitz_agrees(next / 7, p, next % 8, which == 0 ? toeplitz_door<>{} : small_tiles));
      }
    }
  }
}

TEST_CASE("toeplitz: filters of every size to 7x7, strides 1 to 3, every padding", "[toeplitz]")
{
  dice random{7};
  std::size_t next = 0;
  for (std::int64_t kh = 1; kh <= 7; ++kh) {
    for (std::int64_t kw = 1; kw <= 7; ++kw) {
      for (std::int64_t pad = 0; pad < kw; ++pad, ++next) {
        conv2d_problem p{.batch      = random.between(1, 3),
                         .channels   = random.between(1, 3),
                         .multiplier = random.between(1, 2),
                         .input      = {random.between(1, 20), random.between(1, 33)},
                         .filter     = {kh, kw},
                         .stride     = {random.between(1, 2), random.between(1, 3)},
                         .pad        = {.top    = random.between(0, kh - 1),
                                        .bottom = random.between(0, kh - 1),
                                        .left   = pad,
                                        .right  = random.between(0, kw - 1)}};
        if (random.between(0, 1) == 0) { p.stride.width = p.stride.height; }
        while (!fits(p)) { ++p.input.height, ++p.input.width; }
        CHECK(toeplitz_agrees(next, p, {next % 8, next % 3, next / 2 % 8},
                              next % 3 == 0 ? small_tiles : toeplitz_door<>{}));
      }
    }
  }
}

TEST_CASE("toeplitz: dilated filters, along rows and down planes, wherever rows begin",
          "[toeplitz]")
{
  dice random{11};
  std::size_t next = 0;
  for (std::int64_t const kh : {1, 3, 5, 7}) {
    for (std::int64_t const down : {1, 2, 3, 4, 7, 12}) {
      for (std::int64_t const across : {1, 2, 3, 5, 12}) {
        // Spans of up to two matrix products, of higher filters one.
        std::int64_t const longest = kh <= 3 ? 24 : 9;
        std::int64_t const kw = random.between(1, std::clamp<std::int64_t>(longest / across, 1, 5));
        conv2d_problem p{.batch      = random.between(1, 3),
                         .channels   = random.between(1, 3),
                         .multiplier = random.between(1, 2),
                         .input      = {random.between(1, 50), random.between(1, 45)},
                         .filter     = {kh, kw},
                         .dilation   = {down, across}};
        auto const span = dwconv::filter_span(p);
        p.pad           = {.top    = random.between(0, span.height - 1),
                           .bottom = random.between(0, span.height - 1),
                           .left   = random.between(0, span.width - 1),
                           .right  = random.between(0, span.width - 1)};
        while (!fits(p)) { ++p.input.height, ++p.input.width; }
        if (!dwconv::toeplitz_takes_dilated(p)) { continue; }
        CHECK(toeplitz_agrees(next, p, {next % 8, next % 3, next / 2 % 8},
                              next % 3 == 0 ? small_tiles : toeplitz_door<>{}));
        ++next;
      }
    }
  }
  CHECK(next > 60);
}

TEST_CASE("toeplitz: planes of every size under dilated filters", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t size = 1; size <= 40; size += 1 + size / 8) {
    for (std::int64_t const dilation : {2, 5, 12}) {
      conv2d_problem const p{.batch    = 1 + static_cast<std::int64_t>(next % 5),
                             .channels = 1 + static_cast<std::int64_t>(next / 3 % 4),
                             .input = {size, 1 + (size * 7 + static_cast<std::int64_t>(next)) % 40},
                             .filter   = {3, 3},
                             .dilation = {dilation, dilation},
                             .pad      = {dilation, dilation, dilation, dilation}};
      // Of even widths a tensor at an odd address would take three products.
      if (!dwconv::toeplitz_takes_dilated(p)) { continue; }
      for (auto const& door :
           {toeplitz_door<>{}, small_tiles, toeplitz_door<>{.device = no_device}}) {
        CHECK(toeplitz_agrees(next, p, next % 8, door));
      }
      ++next;
    }
  }
}

TEST_CASE("toeplitz: large filters, down to planes that they cover whole", "[toeplitz]")
{
  auto const square = [](std::int64_t size, std::int64_t taps, std::int64_t pad,
                         std::int64_t stride = 1) {
    return conv2d_problem{.batch    = 3,
                          .channels = 2,
                          .input    = {size, size},
                          .filter   = {taps, taps},
                          .stride   = {stride, stride},
                          .pad      = {pad, pad, pad, pad}};
  };
  conv2d_problem const tall{
    .batch = 2, .channels = 1, .input = {40, 12}, .filter = {63, 3}, .pad = {31, 31, 1, 1}};
  conv2d_problem const wide{
    .batch = 1, .channels = 2, .input = {6, 150}, .filter = {3, 63}, .pad = {1, 1, 31, 31}};
  std::size_t next = 0;
  for (auto const& p :
       {square(20, 9, 4), square(30, 9, 3), square(29, 11, 5), square(16, 11, 4), square(33, 13, 6),
        square(7, 13, 6), square(14, 27, 13), square(20, 31, 15), square(56, 31, 15),
        square(28, 29, 14), square(41, 21, 3), square(32, 31, 15, 2), square(25, 9, 4, 2),
        square(40, 45, 20, 3), square(5, 9, 8), tall, wide}) {
    CHECK(toeplitz_agrees(next, p, next % 3));
    CHECK(toeplitz_agrees(next + 1, p, (next + 1) % 3, small_tiles));
    ++next;
  }
}

TEST_CASE("toeplitz: stacks of large filters are cut where shared memory is small", "[toeplitz]")
{
  std::size_t next = 0;
  for (int const kilobytes : {6, 14, 40}) {
    auto device                = dwconv::h200_facts;
    device.shared_bytes_per_sm = 2 * kilobytes * 1024;
    device.warpgroup_products  = false;
    toeplitz_door<> const door{.aim = small_tiles.aim, .device = device};
    for (auto const [height, width, batch] :
         {std::array<std::int64_t, 3>{30, 70, 1}, {23, 41, 5}, {15, 40, 17}}) {
      for (std::int64_t const pad : {0, 4, 11}) {
        conv2d_problem const p{.batch      = batch,
                               .channels   = 2,
                               .multiplier = 1 + static_cast<std::int64_t>(next % 2),
                               .input      = {height, width},
                               .filter     = {14, 12 + static_cast<std::int64_t>(next % 7)},
                               .pad        = {pad, 3, pad, 2}};
        CHECK(dwconv::choose_toeplitz_policy(p, device, door.aim).stacks);
        CHECK(toeplitz_agrees(next, p, {next % 8, 1, next % 3}, door));
        ++next;
      }
    }
  }
}

TEST_CASE("toeplitz: walks go along planes of one row", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t const width : {256, 300, 511, 1030, 2047, 8300}) {
    for (std::int64_t const taps : {1, 4, 9, 15}) {
      conv2d_problem const below{.batch    = 1,
                                 .channels = 2,
                                 .input    = {11, 40 + static_cast<std::int64_t>(next)},
                                 .filter   = {1, taps}};
      CHECK(
        toeplitz_agrees(next, below, next % 4, next % 2 == 0 ? small_tiles : toeplitz_door<>{}));
      conv2d_problem const p{.batch      = 2,
                             .channels   = 3,
                             .multiplier = 1 + static_cast<std::int64_t>(next % 2),
                             .input      = {1, width},
                             .filter     = {1, taps},
                             .dilation   = {1 + static_cast<std::int64_t>(next % 4), 1},
                             .pad        = {0, 0, next % 3 == 0 ? taps - 1 : taps / 2, taps / 2}};
      CHECK(dwconv::choose_toeplitz_policy(p, dwconv::h200_facts).along);
      CHECK(toeplitz_agrees(next, p, {next % 8, 1, next % 5}));
      ++next;
    }
  }
}

TEST_CASE("toeplitz: walks go along planes of one row with strides and wide filters", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t const stride : {1, 2, 3, 4, 6}) {
    for (std::int64_t const taps : {1, 5, 25, 31}) {
      for (std::int64_t const width : {1700, 2051}) {
        conv2d_problem const p{.batch    = 1,
                               .channels = 2,
                               .input    = {1, width},
                               .filter   = {1, taps},
                               .stride   = {1, stride},
                               .pad      = {0, 0, next % 3 == 0 ? taps - 1 : taps / 2, taps / 2}};
        CHECK(toeplitz_agrees(next, p, {next % 8, 1, next % 5}));
        ++next;
      }
    }
  }
}

TEST_CASE("toeplitz: the last strip of a plane has fewer walks than the others", "[toeplitz]")
{
  auto aim         = dwconv::toeplitz_tiles::sm90;
  aim.walk         = 13;
  aim.plane_bytes  = 2000;
  aim.staged_bytes = 3600;
  std::size_t next = 0;
  for (std::int64_t const taps : {1, 3, 7}) {
    for (std::int64_t const height : {40, 53, 64}) {
      conv2d_problem const p{.batch    = 1,
                             .channels = 2,
                             .input    = {height, 40},
                             .filter   = {taps, 9 - taps},
                             .pad      = {taps / 2, taps / 2, 2, 2}};
      CHECK(dwconv::choose_toeplitz_policy(p, no_device, aim).walk > 7);
      CHECK(toeplitz_agrees(next, p, next % 2, {.aim = aim, .device = no_device}));
      ++next;
    }
  }
}

TEST_CASE("toeplitz: walks of any length", "[toeplitz]")
{
  std::size_t next = 0;
  for (int walk = 1; walk <= 40; walk += 1 + walk / 4) {
    for (std::int64_t const taps : {1, 3, 5, 7}) {
      auto aim = dwconv::toeplitz_tiles::sm90;
      aim.walk = walk;
      for (std::int64_t const width : {20, 21}) {
        conv2d_problem const p{.batch    = 2,
                               .channels = 2,
                               .input    = {33, width},
                               .filter   = {taps, taps},
                               .pad      = {taps / 2, taps / 2, taps / 2, taps / 2}};
        CHECK(toeplitz_agrees(next, p, next % 4, {.aim = aim, .device = no_device}));
        ++next;
      }
    }
  }
}

TEST_CASE("toeplitz: long walks that only even addresses allow are cut at odd ones", "[toeplitz]")
{
  std::size_t next = 0;
  for (extent2 const filter : {extent2{9, 9}, {7, 9}, {4, 9}, {11, 11}}) {
    conv2d_problem const p{
      .batch    = 2,
      .channels = 2,
      .input    = {30, 32},
      .filter   = filter,
      .pad      = {filter.height / 2, filter.height / 2, filter.width / 2, filter.width / 2}};
    CHECK(dwconv::choose_toeplitz_policy(p, no_device).walk > dwconv::toeplitz_sums);
    CHECK(toeplitz_agrees(next++, p, {1, 0, 0}, {.device = no_device}));
    CHECK(toeplitz_agrees(next++, p, {0, 0, 1}, {.device = no_device}));
  }
}

TEST_CASE("toeplitz: every alignment of x and y", "[toeplitz]")
{
  for (std::size_t x = 0; x < 8; ++x) {
    for (std::size_t y = 0; y < 8; ++y) {
      std::int64_t const width = 16 + static_cast<std::int64_t>((x * 3 + y) % 5);
      conv2d_problem const p{
        .batch = 3, .channels = 3, .input = {9, width}, .filter = {5, 5}, .pad = {2, 2, 2, 2}};
      CHECK(toeplitz_agrees(x + y, p, {x, 1, y}));
      CHECK(toeplitz_agrees(x + y, p, {x, 1, y}, small_tiles));
    }
  }
}

TEST_CASE("toeplitz: lanes store results themselves, wherever rows begin", "[toeplitz]")
{
  dice random{13};
  for (std::size_t next = 0; next < 60; ++next) {
    std::int64_t const taps = random.between(1, 9);
    auto const stride       = random.between(1, 2);
    auto const dilation     = stride == 1 && taps <= 3 ? random.between(1, 3) : 1;
    conv2d_problem const p{.batch      = random.between(1, 3),
                           .channels   = random.between(1, 3),
                           .multiplier = random.between(1, 2),
                           .input      = {random.between(20, 40), 2 * random.between(10, 40)},
                           .filter     = {taps, taps},
                           .stride     = {stride, stride},
                           .dilation   = {dilation, dilation},
                           .pad        = {taps / 2, taps / 2, taps / 2, taps / 2}};
    auto door = next % 3 == 0 ? small_tiles : toeplitz_door<>{};
    door.kept = false;
    CHECK(toeplitz_agrees(next, p, {next % 4, next % 3, next / 2 % 4}, door));
  }
}

TEST_CASE("toeplitz: wide rows are cut into windows of columns", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t const width : {511, 512, 513, 640, 1030, 1101}) {
    for (std::int64_t const stride : {1, 2}) {
      conv2d_problem const p{.batch      = 1,
                             .channels   = 1,
                             .multiplier = 1 + static_cast<std::int64_t>(next % 3),
                             .input      = {19, width},
                             .filter     = {3, 3},
                             .stride     = {stride, stride},
                             .pad        = {1, 0, static_cast<std::int64_t>(next % 2), 1}};
      CHECK(toeplitz_agrees(next, p, next % 4));
      ++next;
    }
  }
}

TEST_CASE("toeplitz: tiles that see only padding", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t const taps : {3, 8, 14}) {
    for (std::int64_t const pad : {20, 40}) {
      conv2d_problem const p{.batch    = 1,
                             .channels = 2,
                             .input    = {4, 60 + static_cast<std::int64_t>(next)},
                             .filter   = {taps, taps},
                             .pad      = {pad, pad, pad, pad}};
      CHECK(toeplitz_agrees(next, p, next % 3, small_tiles));
      CHECK(toeplitz_agrees(next, p, next % 3));
      ++next;
    }
  }
}

TEST_CASE("toeplitz: images share matrix products where planes are small", "[toeplitz]")
{
  std::size_t next = 0;
  for (std::int64_t const size : {5, 7, 14}) {
    for (std::int64_t const batch : {1, 7, 16, 33}) {
      conv2d_problem const p{.batch      = batch,
                             .channels   = 5 + static_cast<std::int64_t>(next % 5),
                             .multiplier = 1 + static_cast<std::int64_t>(next % 2),
                             .input      = {size, size},
                             .filter     = {3, 3},
                             .pad        = {1, 1, 1, 1}};
      // As if the GPU were small enough to be filled by it.
      auto device            = dwconv::h200_facts;
      device.multiprocessors = 1;
      auto const policy      = dwconv::choose_toeplitz_policy(p, device);
      // Images an odd number of elements apart do not.
      bool const alike = p.channels * size * size % 2 == 0;
      CHECK((policy.tile.images > 1) == (batch > 1 && alike));
      CHECK(toeplitz_agrees(next, p, next % 4, toeplitz_door<>{.device = device}));
      ++next;
    }
  }
}

TEST_CASE("toeplitz: the same bits whatever the tile, the mover and the order of threads",
          "[toeplitz]")
{
  using dwconv::mover;
  for (std::int64_t const taps : {3, 7, 21}) {
    conv2d_problem const p{.batch    = 2,
                           .channels = 3,
                           .input    = {22, 27},
                           .filter   = {taps, taps},
                           .pad      = {taps / 2, taps / 2, taps / 2, taps / 2}};
    auto const c      = real_case<__half>(p, 5);
    auto const wanted = output_of(c, toeplitz_door<>{}, 3);
    REQUIRE(wanted.size() == y_size(p));
    under_every_schedule([&] {
      using dwconv::epilogue::identity;
      CHECK(same_bits(output_of(c, toeplitz_door<>{}, 1), wanted));
      CHECK(same_bits(output_of(c, small_tiles, 2), wanted));
      CHECK(same_bits(output_of(c, toeplitz_door<identity, mover::async>{}, 3), wanted));
      CHECK(same_bits(output_of(c, toeplitz_door<identity, mover::vectors>{}, 0), wanted));
    });
  }
}
