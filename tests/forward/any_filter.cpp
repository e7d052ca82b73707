// SPDX-License-Identifier: Apache-2.0
// The window family's kernel for any filter: the direct family's bits for every dilation, stride,
// padding and size of filter.
#include "forward/epilogue_case.hpp"
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;

namespace {

/// This kernel and no other.
struct any_filter_door {
  using instances =
    dwconv::instance_list<dwconv::window_instance<dwconv::any_taps, dwconv::any_stride>>;

  template <typename T>
  [[nodiscard]] dwconv::status operator()(conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    return dwconv::run<T, instances>(dwconv::make_forward_plan<T, instances>(problem, 0), tensors,
                                     stream);
  }
};

/// As `same_as_direct`, for element type number `which`, modulo four.
[[nodiscard]] agreement same_bits_as_direct(std::size_t which, conv2d_problem const& problem,
                                            misalignment misalign = {})
{
  switch (which % 4) {
    case 0: return same_as_direct<float>(problem, misalign, any_filter_door{});
    case 1: return same_as_direct<__half>(problem, misalign, any_filter_door{});
    case 2: return same_as_direct<double>(problem, misalign, any_filter_door{});
    default: return same_as_direct<__nv_bfloat16>(problem, misalign, any_filter_door{});
  }
}

/// This kernel with a tile of the test's own, cut down to y's size.
struct forced_any_filter_door {
  dwconv::lattice_tile tile;
  bool wide;

  template <typename T>
  [[nodiscard]] dwconv::status operator()(conv2d_problem const& p,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    constexpr int bytes = static_cast<int>(sizeof(T));
    extent2 const out   = dwconv::output_extent(p);
    auto plan           = dwconv::make_forward_plan<T, any_filter_door::instances>(p, 0);
    auto& policy        = plan.any_filter;
    policy.wide         = wide && dwconv::any_filter_may_be_wide(p, bytes);
    policy.tile         = {
              .images   = static_cast<int>(std::min<std::int64_t>(tile.images, p.batch)),
              .channels = static_cast<int>(std::min<std::int64_t>(tile.channels, p.output_channels())),
              .rows     = static_cast<int>(std::min<std::int64_t>(tile.rows, out.height)),
              .columns  = static_cast<int>(std::min<std::int64_t>(tile.columns, out.width))};
    auto const piece = dwconv::any_filter_piece(p, bytes, policy.wide);
    dwconv::lattice_layout const layout{p, policy.tile, piece};
    policy.threads    = dwconv::any_filter_slots{layout, piece}.threads();
    plan.threads      = policy.threads;
    plan.blocks       = layout.tiles;
    plan.shared_bytes = static_cast<int>(layout.size() * dwconv::any_filter_staged_bytes(bytes));
    REQUIRE(plan.threads <= dwconv::any_filter_threads);
    REQUIRE(plan.shared_bytes <= plan.device.shared_bytes_per_block);
    return dwconv::run<T, any_filter_door::instances>(plan, tensors, stream);
  }
};

/// Tells apart any two outputs, by where they are said to be.
struct tells_offset {
  __device__ float operator()(float, dwconv::output_coordinate const& at) const
  {
    return static_cast<float>(at.offset % 1000 +
                              1000 * (at.row + at.column + at.channel + at.batch));
  }
};

/// A problem with a padding of half the filter's span.
[[nodiscard]] conv2d_problem centred(plane_counts const& counts, extent2 input, extent2 filter,
                                     extent2 stride = {1, 1}, extent2 dilation = {1, 1})
{
  std::int64_t const down   = dilation.height * (filter.height - 1);
  std::int64_t const across = dilation.width * (filter.width - 1);
  return {.batch      = counts.batch,
          .channels   = counts.channels,
          .multiplier = counts.multiplier,
          .input      = input,
          .filter     = filter,
          .stride     = stride,
          .dilation   = dilation,
          .pad        = {down / 2, down - down / 2, across / 2, across - across / 2}};
}

}  // namespace

TEST_CASE("filters from one tap to larger than the plane", "[any_filter]")
{
  extent2 const filters[] = {{1, 1},  {1, 2}, {1, 3}, {1, 4}, {1, 31}, {2, 1}, {3, 1},   {31, 1},
                             {63, 1}, {3, 9}, {5, 3}, {2, 2}, {4, 6},  {9, 9}, {13, 13}, {11, 10}};
  extent2 const inputs[]  = {{1, 1}, {7, 7}, {9, 33}, {40, 61}};
  std::size_t which       = 0;
  for (extent2 const filter : filters) {
    for (extent2 const input : inputs) {
      ++which;
      CHECK(same_bits_as_direct(which, centred({.batch = 2, .channels = 3}, input, filter)));
    }
  }
}

TEST_CASE("filters of hundreds of taps, on planes they outgrow", "[any_filter]")
{
  CHECK(same_bits_as_direct(0, centred({.batch = 9, .channels = 2}, {14, 14}, {27, 27})));
  CHECK(same_bits_as_direct(1, centred({.batch = 5, .channels = 2}, {28, 28}, {29, 29})));
  CHECK(same_bits_as_direct(0, centred({.batch = 33, .channels = 2}, {7, 7}, {13, 13})));
  CHECK(same_bits_as_direct(2, centred({.batch = 3, .channels = 3}, {7, 7}, {13, 13})));
  CHECK(same_bits_as_direct(0, centred({.batch = 3, .channels = 1}, {56, 56}, {31, 31})));
  CHECK(same_bits_as_direct(3, centred({.batch = 1, .channels = 1}, {37, 130}, {31, 30})));
  CHECK(same_bits_as_direct(2, centred({.batch = 1, .channels = 1}, {33, 47}, {21, 19})));
}

TEST_CASE("rows of joined planes, cut and whole, few rows a thread or many", "[any_filter]")
{
  std::size_t which = 0;
  for (extent2 const input : {extent2{12, 16}, extent2{9, 14}, extent2{17, 7}, extent2{8, 20}}) {
    for (dwconv::lattice_tile const tile :
         {dwconv::lattice_tile{.images = 4, .rows = 4, .columns = 20},
          dwconv::lattice_tile{.images = 3, .channels = 2, .rows = 7, .columns = 20},
          dwconv::lattice_tile{.channels = 3, .rows = 5, .columns = 20},
          dwconv::lattice_tile{.images = 33, .rows = 4, .columns = 20},
          dwconv::lattice_tile{.rows = 8, .columns = 9}}) {
      for (bool const wide : {false, true}) {
        for (std::int64_t const multiplier : {1, 2}) {
          ++which;
          auto const p = centred({tile.images + 1, 3, multiplier}, input, {9, 11});
          forced_any_filter_door const door{tile, wide};
          CHECK(same_as_direct<float>(p, {which % 4, which % 5, 1}, door));
          if (which % 2 == 0) { CHECK(same_as_direct<__half>(p, {}, door)); }
          if (which % 2 == 1) { CHECK(same_as_direct<double>(p, {}, door)); }
          conv2d_problem uneven = p;
          uneven.pad            = {0, 8, 3, 1};
          CHECK(same_as_direct<float>(uneven, {}, door));
        }
      }
    }
  }
}

TEST_CASE("every dilation and stride of 1 to 5, alike and mixed", "[any_filter]")
{
  std::size_t which = 0;
  dice random{11};
  for (int code = 0; code < 5 * 5 * 5 * 5; ++code) {
    extent2 const stride{code % 5 + 1, code / 5 % 5 + 1};
    extent2 const dilation{code / 25 % 5 + 1, code / 125 + 1};
    auto const p =
      centred({.batch = 1, .channels = 2}, {random.between(1, 23), random.between(1, 41)},
              {random.between(1, 5), random.between(1, 9)}, stride, dilation);
    ++which;
    CHECK(same_bits_as_direct(which, p));
  }
}

TEST_CASE("long dilations, alike and not", "[any_filter]")
{
  std::size_t which = 0;
  for (std::int64_t down = 1; down <= 13; down += 3) {
    for (std::int64_t across = 1; across <= 13; ++across) {
      ++which;
      CHECK(same_bits_as_direct(
        which, centred({.batch = 1, .channels = 2}, {30, 37}, {3, 3}, {1, 1}, {down, across})));
      CHECK(same_bits_as_direct(which + 1, centred({.batch = 1, .channels = 1}, {19, 29}, {2, 4},
                                                   {2, 1 + across % 3}, {across, down})));
    }
  }
  CHECK(same_bits_as_direct(0, centred({}, {65, 65}, {3, 3}, {1, 1}, {12, 12})));
  CHECK(same_bits_as_direct(2, centred({}, {65, 65}, {3, 3}, {1, 1}, {24, 36})));
  CHECK(same_bits_as_direct(1, centred({}, {20, 260}, {3, 5}, {1, 1}, {1, 50})));
  CHECK(same_bits_as_direct(1, centred({}, {150, 20}, {4, 3}, {2, 1}, {30, 1})));
}

TEST_CASE("paddings of nothing to more than the filter's span", "[any_filter]")
{
  std::size_t which = 0;
  std::size_t tried = 0;
  dice random{12};
  for (int i = 0; i < 400; ++i, ++which) {
    conv2d_problem const p{.batch      = random.between(1, 3),
                           .channels   = random.between(1, 3),
                           .multiplier = random.between(1, 2),
                           .input      = {random.between(1, 12), random.between(1, 30)},
                           .filter     = {random.between(1, 9), random.between(1, 12)},
                           .stride     = {random.between(1, 3), random.between(1, 3)},
                           .dilation   = {random.between(1, 3), random.between(1, 3)},
                           .pad        = {random.between(0, 30), random.between(0, 30),
                                          random.between(0, 40), random.between(0, 40)}};
    if (!dwconv::validate(p).ok() || y_size(p) > 4000) { continue; }
    CHECK(same_bits_as_direct(which, p));
    ++tried;
  }
  CHECK(tried > 200);
  CHECK(same_bits_as_direct(
    0, {.batch = 1, .channels = 1, .input = {2, 3}, .filter = {5, 5}, .pad = {70, 80, 300, 310}}));
}

TEST_CASE("multipliers of 1 to 5, planes that do not fill the last tile", "[any_filter]")
{
  std::size_t which = 0;
  for (std::int64_t multiplier = 1; multiplier <= 5; ++multiplier) {
    for (extent2 const filter : {extent2{3, 2}, extent2{9, 9}}) {
      for (plane_counts const counts :
           {plane_counts{1, 37, multiplier}, plane_counts{3, 5, multiplier},
            plane_counts{41, 1, multiplier}}) {
        ++which;
        CHECK(same_bits_as_direct(which, centred(counts, {6, 7}, filter)));
      }
      CHECK(same_bits_as_direct(which, centred({2, 2, multiplier}, {23, 80}, filter)));
    }
  }
  CHECK(same_bits_as_direct(0, centred({1, 2, 300}, {5, 5}, {3, 4})));
}

TEST_CASE("rows and planes that are cut, around the ends of tiles", "[any_filter]")
{
  std::size_t which = 0;
  for (std::int64_t const width : {255, 256, 257, 513, 600}) {
    for (extent2 const filter : {extent2{1, 4}, extent2{5, 3}, extent2{9, 1}}) {
      ++which;
      CHECK(same_bits_as_direct(which, centred({1, 1}, {15, width}, filter)));
      CHECK(same_bits_as_direct(which, centred({1, 1}, {width / 4, 113}, filter, {2, 1})));
    }
  }
  CHECK(same_bits_as_direct(0, centred({1, 3}, {1, 4096}, {1, 4})));
  CHECK(same_bits_as_direct(1, centred({1, 3}, {4096, 1}, {4, 1})));
}

TEST_CASE("planes of one row, whose outputs a thread takes in runs", "[any_filter]")
{
  std::size_t which = 0;
  dice random{13};
  for (std::int64_t const width : {1, 6, 7, 8, 20, 48, 49, 50, 97, 98, 99, 500, 5000}) {
    for (int again = 0; again < 12; ++again, ++which) {
      conv2d_problem p = centred({random.between(1, 3), random.between(1, 9), random.between(1, 2)},
                                 {random.between(1, 3), width}, {1, random.between(1, 40)},
                                 {3, random.between(1, 3)}, {1, random.between(1, 4)});
      p.pad.left += random.between(0, 60);
      p.pad.right += random.between(0, 60);
      CHECK(same_bits_as_direct(which, p));
    }
  }
}

TEST_CASE("planes of every size up to 16", "[any_filter]")
{
  std::size_t which = 0;
  for (std::int64_t height = 1; height <= 16; ++height) {
    for (std::int64_t width = 1; width <= 16; ++width, ++which) {
      auto const stride = static_cast<std::int64_t>(which % 3 + 1);
      CHECK(same_bits_as_direct(which / 3, centred({.batch = 2, .channels = 3}, {height, width},
                                                   {3, 5}, {stride, stride})));
    }
  }
}

TEST_CASE("tensors of any filter that start at any element", "[any_filter]")
{
  for (std::size_t start = 0; start < 8; ++start) {
    misalignment const misalign{start, (start * 3 + 1) % 8, (start * 5 + 2) % 8};
    CHECK(same_bits_as_direct(start, centred({2, 3}, {11, 19}, {9, 5}), misalign));
    CHECK(
      same_bits_as_direct(start + 1, centred({2, 3}, {11, 19}, {3, 3}, {1, 2}, {2, 1}), misalign));
  }
}

TEST_CASE("the run-time door takes it where no compiled filter does", "[any_filter]")
{
  using dwconv::kernel_family;
  for (conv2d_problem const& p :
       {centred({2, 3}, {20, 30}, {3, 5}), centred({2, 3}, {20, 30}, {3, 3}, {1, 1}, {2, 2}),
        centred({2, 3}, {20, 30}, {3, 3}, {3, 3}), centred({2, 3}, {7, 7}, {13, 13})}) {
    auto const plan = dwconv::make_forward_plan<float>(p, 0);
    CHECK(plan.family == kernel_family::window);
    CHECK(plan.compiled.taps == extent2{0, 0});
    CHECK(agrees_with_reference<float>(p));
  }
}

TEST_CASE("a stage of any filter's tile is told where in y it is", "[any_filter]")
{
  for (conv2d_problem const& p :
       {centred({3, 5, 2}, {6, 7}, {9, 9}), centred({2, 3, 2}, {40, 60}, {3, 4}, {2, 1}, {3, 5})}) {
    auto const y = output_of(integer_case<float>(p), door_with{tells_offset{}});
    REQUIRE(y.size() == y_size(p));
    int wrong = 0;
    for_each_output(p, [&](place const& at) {
      wrong +=
        y[at.offset] != static_cast<float>(static_cast<std::int64_t>(at.offset) % 1000 +
                                           1000 * (at.row + at.column + at.channel + at.batch));
    });
    CHECK(wrong == 0);
  }
}

using any_or_direct =
  dwconv::instance_list<dwconv::window_instance<dwconv::any_taps, dwconv::any_stride>,
                        dwconv::direct_instance<dwconv::any_taps, dwconv::any_stride>>;

TEST_CASE("bias, activation and residual give what they give directly, in place too",
          "[any_filter]")
{
  namespace epilogue = dwconv::epilogue;
  for (conv2d_problem const& p :
       {centred({3, 5, 2}, {6, 7}, {9, 9}), centred({2, 3, 2}, {40, 60}, {3, 4}, {2, 1}, {3, 5}),
        centred({2, 3}, {1, 130}, {1, 4})}) {
    auto const c      = real_case<float>(p, 19);
    auto const before = integers<float>(y_size(p), 37);
    device_buffer<float> x{c.x}, filter{c.filter};
    device_buffer<float> bias{integers<float>(static_cast<std::size_t>(p.output_channels()), 5)};
    auto const output = [&](dwconv::kernel_family family) {
      device_buffer<float> y{before, 3};
      auto const stages =
        epilogue::bias<float>{bias.data()} | epilogue::silu{} | epilogue::residual<float>{y.data()};
      auto const plan = dwconv::make_forward_plan<float, any_or_direct>(p, 0, family);
      CHECK((plan.compiled.family == dwconv::kernel_family::direct || plan.compiled.any_filter()));
      CHECK(dwconv::run<float, any_or_direct>(plan, {x.data(), filter.data(), y.data()},
                                              test_stream(), stages)
              .ok());
      CHECK(synchronize() == cudaSuccess);
      CHECK(y.canaries_intact());
      return y.read();
    };
    CHECK(same_bits(output(dwconv::kernel_family::window), output(dwconv::kernel_family::direct)));
  }
}

TEST_CASE("a NaN or infinity in x reaches the outputs of any filter that it reaches directly",
          "[any_filter]")
{
  for (conv2d_problem const& p :
       {centred({2, 2}, {9, 11}, {5, 6}), centred({2, 2}, {9, 11}, {3, 3}, {1, 1}, {2, 3})}) {
    for (float const value : {NAN, INFINITY}) {
      for (std::size_t at = 0; at < 4 * 99; at += 7) {
        forward_case<float> c = integer_case<float>(p);
        for (float& w : c.filter) { w = w == 0 ? 1 : w; }
        c.x[at]           = value;
        auto const any    = output_of(c, any_filter_door{});
        auto const direct = output_of(c, family_door{dwconv::kernel_family::direct});
        int wrong         = any.size() == direct.size() ? 0 : 1;
        for (std::size_t i = 0; i < direct.size() && wrong == 0; ++i) {
          bool const both_nan = std::isnan(any[i]) && std::isnan(direct[i]);
          wrong += !both_nan && any[i] != direct[i];
        }
        CHECK(wrong == 0);
      }
    }
  }
}
