// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <cuda_runtime_api.h>

#include <dwconv/core/status.hpp>

#include "readable_bytes.hpp"

namespace examples {

/// Throws unless a CUDA call succeeded; `what` is the call.
inline void require(cudaError_t error, char const* what)
{
  if (error == cudaSuccess) { return; }
  throw std::runtime_error{std::string{what} + ": " + cudaGetErrorString(error)};
}

/// Throws the library's message unless a dwconv call succeeded.
inline void require(dwconv::status const& status)
{
  if (status.ok()) { return; }
  bool const from_cuda = status.code == dwconv::status_code::cuda_error;
  throw std::runtime_error{status.message() +
                           (from_cuda ? std::string{": "} + cudaGetErrorString(status.cuda) : "")};
}

/// Whether the CUDA runtime offers a GPU.
[[nodiscard]] inline bool has_device()
{
  int count               = 0;
  cudaError_t const error = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());  // what was refused here is nobody else's error
  return error == cudaSuccess && count > 0;
}

// Owners of what the runtime hands out. Destroying is not checked: whoever wants to know about work
// that failed has synchronised before.

struct destroy {
  void operator()(cudaStream_t stream) const { static_cast<void>(cudaStreamDestroy(stream)); }
  void operator()(cudaEvent_t event) const { static_cast<void>(cudaEventDestroy(event)); }
  void operator()(cudaGraph_t graph) const { static_cast<void>(cudaGraphDestroy(graph)); }
  void operator()(cudaGraphExec_t graph) const { static_cast<void>(cudaGraphExecDestroy(graph)); }
};

template <typename Handle>
using handle = std::unique_ptr<std::remove_pointer_t<Handle>, destroy>;

[[nodiscard]] inline handle<cudaStream_t> make_stream()
{
  cudaStream_t stream = nullptr;
  require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return handle<cudaStream_t>{stream};
}

[[nodiscard]] inline handle<cudaEvent_t> make_event()
{
  cudaEvent_t event = nullptr;
  require(cudaEventCreate(&event), "cudaEventCreate");
  return handle<cudaEvent_t>{event};
}

inline void wait_for(cudaStream_t stream)
{
  require(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

/// Throws unless the current device has `bytes` to spare.
inline void require_device_memory(std::int64_t bytes)
{
  std::size_t free = 0, total = 0;
  require(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  if (static_cast<std::uint64_t>(bytes) <= free) { return; }
  throw std::runtime_error{"this needs " + readable_bytes(static_cast<double>(bytes)) +
                           " of device memory, " + readable_bytes(static_cast<double>(free)) +
                           " are free"};
}

/// An array in device memory.
template <typename T>
class device_buffer {
 public:
  explicit device_buffer(std::int64_t elements) : elements_{elements}
  {
    auto const bytes = elements * static_cast<std::int64_t>(sizeof(T));
    require_device_memory(bytes);
    void* memory = nullptr;
    require(cudaMalloc(&memory, static_cast<std::size_t>(bytes)), "cudaMalloc");
    memory_.reset(static_cast<T*>(memory));
  }

  /// A copy of `values`, made when the constructor returns.
  device_buffer(std::vector<T> const& values, cudaStream_t stream)
    : device_buffer{static_cast<std::int64_t>(values.size())}
  {
    upload(values, stream);
  }

  [[nodiscard]] T* data() const { return memory_.get(); }
  [[nodiscard]] std::int64_t size() const { return elements_; }
  [[nodiscard]] std::size_t bytes() const
  {
    return static_cast<std::size_t>(elements_) * sizeof(T);
  }

  void upload(std::vector<T> const& values, cudaStream_t stream)
  {
    if (values.size() != static_cast<std::size_t>(elements_)) {
      throw std::invalid_argument{"upload of a vector of another size than the buffer"};
    }
    require(cudaMemcpyAsync(data(), values.data(), bytes(), cudaMemcpyHostToDevice, stream),
            "cudaMemcpyAsync to the device");
    wait_for(stream);
  }

  [[nodiscard]] std::vector<T> download(cudaStream_t stream) const
  {
    std::vector<T> values(static_cast<std::size_t>(elements_));
    require(cudaMemcpyAsync(values.data(), data(), bytes(), cudaMemcpyDeviceToHost, stream),
            "cudaMemcpyAsync to the host");
    wait_for(stream);
    return values;
  }

  /// Sets every byte to 0xFF, which in a float is NaN: an output nobody wrote shows.
  void poison(cudaStream_t stream)
  {
    require(cudaMemsetAsync(data(), 0xFF, bytes(), stream), "cudaMemsetAsync");
  }

 private:
  struct release {
    void operator()(T* memory) const { static_cast<void>(cudaFree(memory)); }
  };
  std::unique_ptr<T, release> memory_;
  std::int64_t elements_;
};

}  // namespace examples
