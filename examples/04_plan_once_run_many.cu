// SPDX-License-Identifier: Apache-2.0
// One plan for all layers of a small network, the network captured in a CUDA graph, the graph
// replayed with new data in the same buffers.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include <dwconv/dwconv.cuh>

#include "cuda_handles.cuh"
#include "example_main.hpp"
#include "hashed_values.hpp"
#include "reference/conv2d.hpp"

namespace {

using namespace examples;

constexpr std::size_t layers = 6;
constexpr int passes         = 200;
constexpr dwconv::conv2d_problem layer{.batch    = 2,
                                       .channels = 16,
                                       .input    = {32, 32},
                                       .filter   = {3, 3},
                                       .pad      = {.top = 1, .bottom = 1, .left = 1, .right = 1}};

/// Whole numbers from -limit to limit. Six layers of nine products of numbers up to 1 stay below
/// 2^24, so every sum is exact and the check below is equality.
std::vector<float> whole_numbers(std::int64_t count, std::uint64_t seed, int limit)
{
  auto values = hashed_values(count, seed);
  for (float& value : values) { value = std::round(value * static_cast<float>(limit)); }
  return values;
}

/// Layers of convolution and ReLU, each reading what the one before it wrote.
class network {
 public:
  explicit network(dwconv::forward_plan const& plan, cudaStream_t stream) : plan_{plan}
  {
    activations_.emplace_back(input_elements(layer));
    for (std::size_t l = 0; l < layers; ++l) {
      host_filters_.push_back(whole_numbers(filter_elements(layer), 100 + l, 1));
      filters_.emplace_back(host_filters_.back(), stream);
      activations_.emplace_back(output_elements(layer));
    }
  }

  void enqueue(cudaStream_t stream) const
  {
    for (std::size_t l = 0; l < layers; ++l) {
      require(dwconv::run<float>(plan_,
                                 {.x      = activations_[l].data(),
                                  .filter = filters_[l].data(),
                                  .y      = activations_[l + 1].data()},
                                 stream, dwconv::epilogue::relu{}));
    }
  }

  [[nodiscard]] device_buffer<float>& input() { return activations_.front(); }
  [[nodiscard]] device_buffer<float>& output() { return activations_.back(); }

  [[nodiscard]] std::vector<float> expected(std::vector<float> x) const
  {
    for (auto const& filter : host_filters_) {
      std::vector<float> y;
      for (auto const& sum : dwconv_reference::forward(layer, x, filter)) {
        y.push_back(static_cast<float>(sum.value < 0 ? 0 : sum.value));
      }
      x = std::move(y);
    }
    return x;
  }

 private:
  dwconv::forward_plan plan_;
  std::vector<std::vector<float>> host_filters_;
  std::vector<device_buffer<float>> filters_;
  std::vector<device_buffer<float>> activations_;
};

handle<cudaGraphExec_t> captured(network const& net, cudaStream_t stream)
{
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
  net.enqueue(stream);
  cudaGraph_t graph = nullptr;
  require(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  handle<cudaGraph_t> const owned{graph};
  cudaGraphExec_t executable = nullptr;
  require(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
  return handle<cudaGraphExec_t>{executable};
}

/// Prints host time per pass until it is enqueued and until it is done.
template <typename Enqueue>
void time_passes(char const* what, cudaStream_t stream, Enqueue const& enqueue)
{
  using clock = std::chrono::steady_clock;
  enqueue();
  wait_for(stream);
  auto const begin = clock::now();
  for (int pass = 0; pass < passes; ++pass) { enqueue(); }
  auto const enqueued = clock::now();
  wait_for(stream);
  auto const done        = clock::now();
  auto const us_per_pass = [](clock::duration time) {
    return std::chrono::duration<double, std::micro>(time).count() / passes;
  };
  std::printf("%-24s %.1f us a pass to enqueue, %.1f us until done\n", what,
              us_per_pass(enqueued - begin), us_per_pass(done - begin));
}

int plan_once_run_many(int argc, char** argv)
{
  take_no_arguments(argc, argv);
  if (!has_device()) { return skip_without_device(); }

  dwconv::forward_plan const plan = dwconv::make_forward_plan<float>(layer, 0);
  require(plan.outcome);
  std::printf("one plan for %zu layers:\n%s", layers, describe(plan).c_str());

  auto const stream = make_stream();
  network net{plan, stream.get()};
  auto const graph  = captured(net, stream.get());
  auto const replay = [&] {
    require(cudaGraphLaunch(graph.get(), stream.get()), "cudaGraphLaunch");
  };
  for (std::uint64_t data = 0; data < 4; ++data) {
    auto const x = whole_numbers(input_elements(layer), data, 1);
    net.input().upload(x, stream.get());
    net.output().poison(stream.get());
    replay();
    if (net.output().download(stream.get()) != net.expected(x)) {
      throw std::runtime_error{"the replay with data " + std::to_string(data) + " is wrong"};
    }
    std::printf("replay %llu: all %lld outputs exactly as expected\n",
                static_cast<unsigned long long>(data), static_cast<long long>(net.output().size()));
  }

  time_passes("direct calls", stream.get(), [&] { net.enqueue(stream.get()); });
  time_passes("replayed graph", stream.get(), replay);
  return exit_good;
}

}  // namespace

int main(int argc, char** argv)
{
  return run_example([&] { return plan_once_run_many(argc, argv); });
}
