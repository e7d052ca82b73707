// SPDX-License-Identifier: Apache-2.0
// An epilogue's pointers are checked as the tensors' are, before anything is launched.
#include "forward/epilogue_case.hpp"
#include "forward/launch_watch.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::status;
using dwconv::status_code;
namespace epilogue = dwconv::epilogue;

namespace {

constexpr conv2d_problem problem{.batch = 1, .channels = 4, .input = {6, 6}, .filter = {3, 3}};
constexpr std::size_t outputs = 4 * 4 * 4;

/// A call in which the epilogue may point into y.
struct refusal {
  device_buffer<float> x{integers<float>(144, 1)};
  device_buffer<float> filter{integers<float>(36, 2)};
  device_buffer<float> y{outputs, poison{}};
  device_buffer<float> good{std::vector<float>(outputs, 1)};

  template <typename Epilogue>
  [[nodiscard]] static status call(dwconv::forward_tensors<float> const& tensors,
                                   Epilogue const& stage)
  {
    return door_with{stage}(problem, tensors, test_stream());
  }

  template <typename Epilogue>
  [[nodiscard]] status of(Epilogue const& stage)
  {
    launch_watch const watch;
    status const outcome = call({x.data(), filter.data(), y.data()}, stage);
    CHECK(synchronize() == cudaSuccess);
    CHECK(watch.saw_none());
    CHECK(aftermath<float>{outcome, cudaSuccess, y.read(), true}.y_untouched());
    return outcome;
  }

  /// Null, then one byte past an element, then into y, for a pointer called `name` of `bytes`.
  template <typename Make>
  void check_all(char const* name, std::int64_t bytes, Make const& make)
  {
    CAPTURE(name);
    auto* const astray =
      reinterpret_cast<float*>(reinterpret_cast<std::uintptr_t>(good.data()) + 1);
    CHECK(of(make(static_cast<float*>(nullptr))) ==
          status{.code = status_code::null_pointer, .argument = name});
    CHECK(
      of(make(astray)) ==
      status{.code = status_code::misaligned_pointer, .argument = name, .value = 1, .limit = 4});
    CHECK(
      of(make(y.data() + outputs - 1)) ==
      status{.code = status_code::overlapping_tensors, .argument = name, .value = 4, .limit = 0});
    CHECK(of(make(y.data() - 1)).value == bytes - 4);
  }
};

}  // namespace

TEST_CASE("a bias that cannot be read is refused", "[epilogue_pointers]")
{
  refusal{}.check_all("epilogue bias.values", 16,
                      [](float* p) { return epilogue::bias<float>{p}; });
}

TEST_CASE("a scale that cannot be read is refused", "[epilogue_pointers]")
{
  refusal r;
  r.check_all("epilogue scale_shift.scale", 16, [&](float* p) {
    return epilogue::scale_shift<float>{p, r.good.data()};
  });
}

TEST_CASE("a shift that cannot be read is refused", "[epilogue_pointers]")
{
  refusal r;
  r.check_all("epilogue scale_shift.shift", 16, [&](float* p) {
    return epilogue::scale_shift<float>{r.good.data(), p};
  });
}

TEST_CASE("a residual that cannot be read, or is y but shifted, is refused", "[epilogue_pointers]")
{
  refusal{}.check_all("epilogue residual.values", 4 * outputs,
                      [](float* p) { return epilogue::residual<float>{p}; });
}

TEST_CASE("a residual of another size in y's place is refused", "[epilogue_pointers]")
{
  refusal r;
  auto* const half_sized = reinterpret_cast<__half*>(r.y.data());
  CHECK(r.of(epilogue::residual<__half>{half_sized}) ==
        status{.code     = status_code::overlapping_tensors,
               .argument = "epilogue residual.values",
               .value    = 2 * outputs,
               .limit    = 0});
}

TEST_CASE("every stage of a chain is checked", "[epilogue_pointers]")
{
  refusal r;
  epilogue::bias<float> const good{r.good.data()}, bad{nullptr};
  status const expected{.code = status_code::null_pointer, .argument = "epilogue bias.values"};
  CHECK(r.of(bad | good) == expected);
  CHECK(r.of(good | bad) == expected);
  CHECK(r.of(good | epilogue::relu{} | bad).message() ==
        "epilogue bias.values is null, must point to device memory");
}

TEST_CASE("the tensors are checked before the epilogue", "[epilogue_pointers]")
{
  refusal r;
  CHECK(r.call({nullptr, r.filter.data(), r.y.data()}, epilogue::bias<float>{nullptr}) ==
        status{.code = status_code::null_pointer, .argument = "x"});
}
