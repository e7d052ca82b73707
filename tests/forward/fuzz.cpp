// SPDX-License-Identifier: Apache-2.0
// Random problems of every kind. DWCONV_FUZZ_CASES says how many, DWCONV_FUZZ_SEED where to start;
// a failure prints the seed with which DWCONV_FUZZ_CASES=1 runs that case alone.
#include <cstdlib>
#include <string>

#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;

namespace {

std::uint64_t environment(char const* name, std::uint64_t otherwise)
{
  char const* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// A valid problem of at most a few thousand outputs and of every proportion; every third one is of
/// a filter and stride that the window family is compiled for, or nearly.
conv2d_problem any_problem(dice& random)
{
  auto const skewed = [&](std::int64_t most) {  // small more often than large
    return random.between(1, random.between(1, most));
  };
  for (;;) {
    conv2d_problem p{
      .batch       = skewed(3),
      .channels    = skewed(20),
      .multiplier  = skewed(4),
      .input       = {skewed(60), skewed(120)},
      .filter      = {skewed(13), skewed(13)},
      .stride      = {skewed(6), skewed(6)},
      .dilation    = {skewed(5), skewed(5)},
      .pad         = {random.between(0, skewed(20)), random.between(0, skewed(20)),
                      random.between(0, skewed(20)), random.between(0, skewed(20))},
      .data_layout = random.between(0, 1) == 0 ? dwconv::layout::nchw : dwconv::layout::nhwc};
    if (random.between(0, 2) == 0) {
      std::int64_t const taps = 3 + 2 * random.between(0, 2), stride = random.between(1, 2);
      p.filter      = {taps, taps};
      p.stride      = {stride, stride};
      p.dilation    = {1, 1};
      p.data_layout = dwconv::layout::nchw;
    }
    if (dwconv::validate(p).ok() && y_size(p) <= 6000) { return p; }
  }
}

int windows = 0;  ///< Cases that took the window family.

template <typename T>
agreement try_out(conv2d_problem const& problem, dice& random)
{
  std::uint64_t const seed = random.roll();
  auto const any_start     = [&] { return static_cast<std::size_t>(random.between(0, 9)); };
  std::size_t const x = any_start(), filter = any_start(), y = any_start();
  misalignment const misalign{x, filter, y};
  auto const try_door = [&](auto const& door) {
    return seed % 2 == 0 ? agrees(integer_case<T>(problem, seed), tolerance::none, door, misalign)
                         : agrees(real_case<T>(problem, seed), tolerance::bound, door, misalign);
  };
  agreement const planned = try_door(run_time_door{});
  if (!planned || !window_takes<T>(problem)) { return planned; }
  ++windows;
  return try_door(family_door{dwconv::kernel_family::direct});
}

agreement try_out(std::uint64_t seed)
{
  dice random{seed};
  conv2d_problem const problem = any_problem(random);
  switch (random.between(0, 3)) {
    case 0: return try_out<float>(problem, random);
    case 1: return try_out<double>(problem, random);
    case 2: return try_out<__half>(problem, random);
    default: return try_out<__nv_bfloat16>(problem, random);
  }
}

}  // namespace

TEST_CASE("random problems agree with the reference", "[fuzz]")
{
  std::uint64_t const cases = environment("DWCONV_FUZZ_CASES", 1500);
  std::uint64_t seed        = environment("DWCONV_FUZZ_SEED", 20240917);
  int failures              = 0;
  for (std::uint64_t i = 0; i < cases && failures < 5; ++i) {
    agreement const a = try_out(seed);
    if (!a) {
      ++failures;
      FAIL_CHECK(a.complaint << "\nreplay: DWCONV_FUZZ_SEED=" << seed << " DWCONV_FUZZ_CASES=1");
    }
    seed = dice{seed}.roll();  // the first case's seed is the one given
  }
  CHECK(failures == 0);
  if (cases >= 100) { CHECK(windows >= static_cast<int>(cases / 8)); }
}
