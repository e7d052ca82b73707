// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include <dwconv/core/status.hpp>

#include "support/device_buffer.hpp"

/// A captured call. The strictest mode: anything that allocates or synchronises breaks the capture.
class captured {
 public:
  template <typename Call>
  explicit captured(Call const& call)
  {
    require_cuda(cudaStreamBeginCapture(test_stream(), cudaStreamCaptureModeGlobal), "begin");
    outcome_          = call(test_stream());
    cudaGraph_t graph = nullptr;
    require_cuda(cudaStreamEndCapture(test_stream(), &graph), "cudaStreamEndCapture");
    require_cuda(cudaGraphGetNodes(graph, nullptr, &nodes_), "cudaGraphGetNodes");
    require_cuda(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
    require_cuda(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  captured(captured const&)            = delete;
  captured& operator=(captured const&) = delete;
  ~captured() { static_cast<void>(cudaGraphExecDestroy(graph_)); }

  [[nodiscard]] dwconv::status outcome() const { return outcome_; }
  [[nodiscard]] std::size_t nodes() const { return nodes_; }
  void replay() const
  {
    require_cuda(cudaGraphLaunch(graph_, test_stream()), "cudaGraphLaunch");
    require_cuda(synchronize(), "replay");
  }

 private:
  dwconv::status outcome_;
  std::size_t nodes_     = 0;
  cudaGraphExec_t graph_ = nullptr;
};
