// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>

#include <dwconv/staging/memory_run.hpp>

#include "support/catch.hpp"

using dwconv::copy_bytes;
using dwconv::cut_inwards;
using dwconv::cut_outwards;
using dwconv::past_boundary;
using dwconv::run_cut;

namespace {

template <typename T>
bool at_boundary(T const* address)
{
  return reinterpret_cast<std::uintptr_t>(address) % copy_bytes == 0;
}

/// What is wrong with a cut for reading; null if nothing is.
template <typename T>
char const* flaw_outwards(T const* run, int count, T const* begin, T const* end)
{
  constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
  run_cut const cut   = cut_outwards(run, count, begin, end);
  if (!cut.has_pieces()) {
    return end - begin >= 3 * piece && count >= 2 * piece ? "moves nothing" : nullptr;
  }
  if (!at_boundary(run + cut.first) || !at_boundary(run + cut.last)) {
    return "moves part of a piece";
  }
  if (run + cut.first < begin || run + cut.last > end) { return "leaves the tensor"; }
  if (cut.first <= -piece || cut.last >= count + piece) {
    return "moves pieces without an element of the run";
  }
  if (cut.first >= piece || cut.last <= count - piece) { return "leaves a whole piece out"; }
  // What is cut off has to be: the piece over the run's end would leave the tensor.
  if (cut.first > 0 && run + cut.first - piece >= begin) {
    return "leaves a piece at the front out";
  }
  if (cut.last < count && run + cut.last + piece <= end) {
    return "leaves a piece at the back out";
  }
  return nullptr;
}

template <typename T>
char const* flaw_inwards(T const* run, int count, int bytes)
{
  int const elements = bytes / static_cast<int>(sizeof(T));
  run_cut const cut  = cut_inwards(run, count, bytes);
  auto const aligned = [&](T const* p) {
    return reinterpret_cast<std::uintptr_t>(p) % static_cast<unsigned>(bytes) == 0;
  };
  if (!cut.has_pieces()) { return count >= 2 * elements ? "moves nothing" : nullptr; }
  if (cut.first < 0 || cut.last > count) { return "writes outside the run"; }
  if (!aligned(run + cut.first) || !aligned(run + cut.last)) { return "moves part of a piece"; }
  if (cut.first >= elements || cut.last <= count - elements) { return "leaves a whole piece out"; }
  return nullptr;
}

/// A tensor of 1 to 40 elements that starts anywhere, and every run in it.
template <typename T, typename Visit>
void for_each_run(Visit const& visit)
{
  alignas(256) static T memory[128];
  for (int start = 32; start < 48; ++start) {
    for (int size = 1; size <= 40; ++size) {
      for (int first = 0; first <= size; ++first) {
        for (int count = 0; first + count <= size; ++count) {
          visit(memory + start + first, count, memory + start, memory + start + size);
        }
      }
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a run is cut outwards to whole pieces, within the tensor", "[memory_run]",
                   std::uint16_t, float, double)
{
  int flaws = 0, outside = 0, with_pieces = 0;
  for_each_run<TestType>(
    [&](TestType const* run, int count, TestType const* begin, TestType const* end) {
      if (count == 0) { return; }
      char const* const flaw = flaw_outwards(run, count, begin, end);
      if (flaw != nullptr && ++flaws <= 3) {
        FAIL_CHECK(flaw << ": run of " << count << " at " << run - begin << " of " << end - begin);
      }
      run_cut const cut = cut_outwards(run, count, begin, end);
      with_pieces += cut.has_pieces();
      outside += cut.has_pieces() && (cut.first < 0 || cut.last > count);
    });
  CHECK(flaws == 0);
  CHECK(with_pieces > 1000);
  CHECK(outside > 1000);
}

TEMPLATE_TEST_CASE(
  "an empty or negative run, as of a tile in the padding, reads nothing outside the tensor",
  "[memory_run]", std::uint16_t, float, double)
{
  int outside = 0;
  for_each_run<TestType>(
    [&](TestType const* run, int count, TestType const* begin, TestType const* end) {
      // From `count` past the run's start back to it.
      run_cut const cut   = cut_outwards(run + count, -count, begin, end);
      constexpr int piece = copy_bytes / static_cast<int>(sizeof(TestType));
      if (!cut.has_pieces()) { return; }
      TestType const* const at = run + count;
      outside +=
        at + cut.first < begin || at + cut.last > end || cut.first <= -piece || cut.last >= piece;
    });
  CHECK(outside == 0);
}

TEMPLATE_TEST_CASE("a run is cut inwards to whole pieces", "[memory_run]", std::uint16_t, float,
                   double)
{
  int flaws = 0, with_pieces = 0;
  for (int const bytes : {16, 32, 128}) {
    for_each_run<TestType>([&](TestType const* run, int count, TestType const*, TestType const*) {
      char const* const flaw = flaw_inwards(run, count, bytes);
      if (flaw != nullptr && ++flaws <= 3) {
        FAIL_CHECK(flaw << ": run of " << count << ", " << bytes << " bytes");
      }
      with_pieces += cut_inwards(run, count, bytes).has_pieces();
    });
  }
  CHECK(flaws == 0);
  CHECK(with_pieces > 1000);
}

TEST_CASE("past_boundary counts elements", "[memory_run]")
{
  alignas(256) static float memory[64];
  CHECK(past_boundary(memory) == 0);
  CHECK(past_boundary(memory + 3) == 3);
  CHECK(past_boundary(memory + 4) == 0);
  CHECK(past_boundary(memory + 37, 128) == 5);
}
