// SPDX-License-Identifier: Apache-2.0
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;

namespace {

constexpr conv2d_problem problem{
  .batch = 4, .channels = 32, .input = {56, 56}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

class side_stream {
 public:
  side_stream()
  {
    require_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create stream");
  }
  side_stream(side_stream const&)            = delete;
  side_stream& operator=(side_stream const&) = delete;
  ~side_stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  [[nodiscard]] cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A tensor convolved over and over, there and back between two buffers.
struct chain_of_calls {
  forward_case<double> start;
  device_buffer<double> filter, here, there;

  explicit chain_of_calls(std::uint64_t seed)
    : start{real_case<double>(problem, seed)},
      filter{start.filter},
      here{start.x},
      there{start.x.size(), poison{}}
  {}

  void enqueue(cudaStream_t stream)
  {
    CHECK(
      dwconv::forward<double>(problem, {here.data(), filter.data(), there.data()}, stream).ok());
    CHECK(
      dwconv::forward<double>(problem, {there.data(), filter.data(), here.data()}, stream).ok());
  }
};

}  // namespace

TEST_CASE("calls on one stream run in order, whatever another stream does", "[streams]")
{
  constexpr int rounds = 40;
  chain_of_calls alone_a{1}, alone_b{2}, together_a{1}, together_b{2};
  for (int i = 0; i < rounds; ++i) { alone_a.enqueue(test_stream()); }
  REQUIRE(synchronize() == cudaSuccess);
  for (int i = 0; i < rounds; ++i) { alone_b.enqueue(test_stream()); }
  REQUIRE(synchronize() == cudaSuccess);

  side_stream const side_a, side_b;
  for (int i = 0; i < rounds; ++i) {
    together_a.enqueue(side_a.get());
    together_b.enqueue(side_b.get());
  }
  REQUIRE(cudaStreamSynchronize(side_a.get()) == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(side_b.get()) == cudaSuccess);
  CHECK(same_bits(together_a.here.read(), alone_a.here.read()));
  CHECK(same_bits(together_b.here.read(), alone_b.here.read()));
  CHECK(!same_bits(together_a.here.read(), together_b.here.read()));
}

TEST_CASE("a call waits for what its stream did before", "[streams]")
{
  // The copy into x is on the same stream and not waited for by the host.
  auto const c = integer_case<float>(problem, 3);
  side_stream const side;
  device_buffer<float> source{c.x}, x{c.x.size(), poison{}}, filter{c.filter};
  device_buffer<float> y{y_size(problem), poison{}};
  for (int i = 0; i < 20; ++i) {
    require_cuda(cudaMemsetAsync(x.data(), 0xFF, c.x.size() * sizeof(float), side.get()), "memset");
  }
  require_cuda(cudaMemcpyAsync(x.data(), source.data(), c.x.size() * sizeof(float),
                               cudaMemcpyDeviceToDevice, side.get()),
               "copy");
  REQUIRE(dwconv::forward<float>(problem, {x.data(), filter.data(), y.data()}, side.get()).ok());
  REQUIRE(cudaStreamSynchronize(side.get()) == cudaSuccess);
  CHECK(compare(c, y.read().data(), tolerance::none));
}
