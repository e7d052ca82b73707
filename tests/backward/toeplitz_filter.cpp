// SPDX-License-Identifier: Apache-2.0
// The toeplitz family's gradient of the filter against the reference: where blocks of columns,
// slots, units and chunks end; every alignment; every kernel of it, by each mover.
#include <set>
#include <utility>

#include <dwconv/dispatch/add_splits.cuh>
#include <dwconv/dispatch/toeplitz_filter.cuh>

#include "backward/scenario.hpp"
#include "forward/axes.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::mover;

namespace {

/// A GPU that few warps fill, so that each has several units.
[[nodiscard]] dwconv::device_facts little_gpu()
{
  auto device            = dwconv::h200_facts;
  device.multiprocessors = 1;
  return device;
}

/// One whose shared memory holds small chunks, so that small planes have several.
[[nodiscard]] dwconv::device_facts small_chunks(int multiprocessors = 1)
{
  auto device                = dwconv::h200_facts;
  device.multiprocessors     = multiprocessors;
  device.shared_bytes_per_sm = 40 * 1024;
  return device;
}

using kernel_name = std::pair<int, int>;  ///< Halves, rows.

/// The family without a plan.
template <mover Mover = mover::newest>
struct toeplitz_filter {
  dwconv::device_facts device    = dwconv::h200_facts;
  std::set<kernel_name>* reached = nullptr;

  template <typename T>
  [[nodiscard]] std::vector<float> run(gradient_case<T> const& c, misalignment misalign,
                                       dwconv::toeplitz_gradient_policy const& policy) const
  {
    device_buffer<T> x{c.x, misalign.x}, dy{c.dy, misalign.y};
    auto const taps = filter_size(c.problem);
    device_buffer<float> partial{taps * static_cast<std::size_t>(policy.splits), poison{}};
    device_buffer<float> dfilter{taps, poison{}};
    dwconv::dispatch::toeplitz_filter_launch<T, Mover> const launch{
      c.problem, policy, x.data(), dy.data(), partial.data(), test_stream()};
    REQUIRE(launch() == cudaSuccess);
    REQUIRE(dwconv::dispatch::launch_add_splits(
              dwconv::add_splits_params<float, float>{partial.data(), dfilter.data(),
                                                      static_cast<std::int64_t>(taps),
                                                      policy.splits, dwconv::update::overwrite},
              test_stream()) == cudaSuccess);
    REQUIRE(synchronize() == cudaSuccess);
    CHECK((x.canaries_intact() && dy.canaries_intact() && partial.canaries_intact()));
    return dfilter.read();
  }

  template <typename T>
  [[nodiscard]] agreement agrees(conv2d_problem const& p, std::uint64_t seed,
                                 misalignment misalign) const
  {
    dwconv::toeplitz_gradient_policy policy{};
    if (char const* const obstacle =
          dwconv::obstacle_to_toeplitz_gradient(p, dwconv::dtype_of<T>, device, policy)) {
      return {describe(p) + ": " + obstacle};
    }
    if (reached != nullptr) { reached->insert({policy.halves, policy.rows}); }
    auto const exact = integer_gradients<T>(p, seed);
    auto const sums  = run(exact, misalign, policy);
    agreement const a =
      compare_gradient<T>("dfilter", p, dwconv_reference::backward_filter(p, exact.x, exact.dy),
                          sums.data(), tolerance::none);
    if (!a) { return a; }
    auto const real = real_gradients<T>(p, seed);
    return compare_gradient<T>("dfilter", p, dwconv_reference::backward_filter(p, real.x, real.dy),
                               run(real, misalign, policy).data(), tolerance::bound,
                               dwconv::toeplitz_gradient_chain(p, policy) + 1);
  }

  /// In the element type number `which`, modulo two.
  [[nodiscard]] agreement operator()(std::size_t which, conv2d_problem const& p,
                                     misalignment misalign = {}) const
  {
    return which % 2 == 0 ? agrees<__half>(p, which, misalign)
                          : agrees<__nv_bfloat16>(p, which, misalign);
  }
};

[[nodiscard]] conv2d_problem square(std::int64_t batch, std::int64_t size, std::int64_t taps,
                                    std::int64_t pad)
{
  return {.batch    = batch,
          .channels = 2,
          .input    = {size, size},
          .filter   = {taps, taps},
          .pad      = {pad, pad, pad, pad}};
}

}  // namespace

TEST_CASE("toeplitz gradient: planes of every size", "[toeplitz_filter]")
{
  std::size_t next = 0;
  for (std::int64_t height = 1; height <= 40; height += 1 + height / 6) {
    for (std::int64_t width = 1; width <= 40; width += 1 + width / 16) {
      ++next;
      auto const k = std::int64_t{3} + static_cast<std::int64_t>(next % 3) * 2;
      conv2d_problem const p{.batch      = 1 + static_cast<std::int64_t>(next % 5),
                             .channels   = 1 + static_cast<std::int64_t>(next / 3 % 4),
                             .multiplier = next % 7 == 0 ? 2 : 1,
                             .input      = {height, width},
                             .filter     = {k, k},
                             .pad        = {k / 2, k / 2, k / 2, k / 2}};
      CHECK(toeplitz_filter<>{.device = little_gpu()}(next / 7, p, next % 8));
      CHECK(toeplitz_filter<>{small_chunks()}(next / 7, p, next % 8));
    }
  }
}

TEST_CASE("toeplitz gradient: every kernel, by each mover", "[toeplitz_filter]")
{
  std::set<kernel_name> newest, async, bulk;
  std::size_t next = 0;
  for (std::int64_t const size : {7, 14, 20, 32, 56}) {
    for (std::int64_t const taps : {3, 5, 7, 9, 13, 21, 31}) {
      auto const p = square(3, size, taps, taps / 2);
      CHECK(toeplitz_filter<>{.device = little_gpu(), .reached = &newest}(next, p, next % 3));
      CHECK(toeplitz_filter<mover::async>{.device = little_gpu(), .reached = &async}(next + 1, p));
      CHECK(toeplitz_filter<mover::bulk>{small_chunks(), &bulk}(next, p));
      ++next;
    }
  }
  std::set<kernel_name> all;
  for (auto const& kernel : dwconv::toeplitz_gradient::instances) {
    all.insert({kernel.halves, kernel.rows});
  }
  CHECK(newest == all);
  CHECK(async == all);
  CHECK(bulk == all);
}

TEST_CASE("toeplitz gradient: filters of every size and padding", "[toeplitz_filter]")
{
  dice random{7};
  std::size_t next = 0;
  for (std::int64_t kh = 1; kh <= 7; ++kh) {
    for (std::int64_t kw = 1; kw <= 9; ++kw) {
      for (std::int64_t pad = 0; pad < kw + 3; ++pad, ++next) {
        conv2d_problem p{.batch      = random.between(1, 3),
                         .channels   = random.between(1, 3),
                         .multiplier = random.between(1, 2),
                         .input      = {random.between(1, 20), random.between(1, 33)},
                         .filter     = {kh, kw},
                         .pad        = {.top    = random.between(0, kh + 1),
                                        .bottom = random.between(0, kh + 1),
                                        .left   = pad,
                                        .right  = random.between(0, kw + 1)}};
        while (p.input.height + p.pad.top + p.pad.bottom < kh) { ++p.input.height; }
        while (p.input.width + p.pad.left + p.pad.right < kw) { ++p.input.width; }
        CHECK(toeplitz_filter<>{next % 2 == 0 ? small_chunks() : little_gpu()}(
          next, p, {next % 8, 0, next / 2 % 8}));
      }
    }
  }
}

TEST_CASE("toeplitz gradient: large filters, also wider than the kernels, and than the planes",
          "[toeplitz_filter]")
{
  conv2d_problem const tall{
    .batch = 2, .channels = 1, .input = {40, 12}, .filter = {63, 3}, .pad = {31, 31, 1, 1}};
  conv2d_problem const wide{
    .batch = 1, .channels = 2, .input = {6, 150}, .filter = {3, 63}, .pad = {1, 1, 31, 31}};
  conv2d_problem const far{
    .batch = 1, .channels = 1, .input = {4, 9}, .filter = {2, 140}, .pad = {0, 3, 99, 70}};
  conv2d_problem const few{.batch = 2, .channels = 2, .input = {9, 300}, .filter = {4, 295}};
  conv2d_problem const padding{
    .batch = 2, .channels = 2, .input = {3, 3}, .filter = {2, 2}, .pad = {40, 9, 30, 50}};
  std::size_t next = 0;
  for (auto const& p : {square(5, 7, 13, 6), square(9, 14, 27, 13), square(2, 20, 31, 15),
                        square(3, 28, 29, 14), square(2, 41, 21, 3), square(1, 5, 9, 8),
                        square(1, 33, 17, 8), tall, wide, far, few, padding}) {
    CHECK(toeplitz_filter<>{.device = little_gpu()}(next, p, next % 3));
    CHECK(toeplitz_filter<>{small_chunks()}(next + 1, p, (next + 1) % 3));
    ++next;
  }
}

TEST_CASE("toeplitz gradient: rows longer than a product has slots", "[toeplitz_filter]")
{
  std::size_t next = 0;
  for (std::int64_t const width : {127, 128, 129, 136, 144, 257, 510, 512}) {
    conv2d_problem const p{.batch    = 2,
                           .channels = 2,
                           .input    = {19, width},
                           .filter   = {3, 5},
                           .pad      = {1, 0, static_cast<std::int64_t>(next % 5), 1}};
    CHECK(toeplitz_filter<>{.device = little_gpu()}(next, p, next % 4));
    CHECK(toeplitz_filter<>{small_chunks(40)}(next, p, {0, 0, next % 2}));
    ++next;
  }
}

TEST_CASE("toeplitz gradient: every alignment of x and dy", "[toeplitz_filter]")
{
  for (std::size_t x = 0; x < 8; ++x) {
    for (std::size_t dy = 0; dy < 8; ++dy) {
      conv2d_problem p = square(5, 16 + static_cast<std::int64_t>((x * 3 + dy) % 5), 5, 2);
      p.input.height   = 9;
      CHECK(toeplitz_filter<>{.device = little_gpu()}(x + dy, p, {x, 0, dy}));
      CHECK(toeplitz_filter<mover::async>{small_chunks()}(x + dy, p, {x, 0, dy}));
    }
  }
}

TEST_CASE("toeplitz gradient: batches that fill no product, one, several", "[toeplitz_filter]")
{
  std::size_t next = 0;
  for (std::int64_t const size : {1, 5, 8, 14, 28}) {
    for (std::int64_t const batch : {1, 2, 7, 16, 33}) {
      CHECK(toeplitz_filter<>{.device = little_gpu()}(next, square(batch, size, 3, 1), next % 4));
      ++next;
    }
  }
}
