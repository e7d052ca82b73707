// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <cuda_runtime_api.h>

inline void require_cuda(cudaError_t result, char const* call)
{
  if (result != cudaSuccess) {
    throw std::runtime_error{std::string{call} + ": " + cudaGetErrorString(result)};
  }
}

/// Fills a buffer with 0xFF bytes, which are NaN in every floating-point type.
struct poison {};

/// `size()` elements of device memory between two canaries; writing one shows in
/// `canaries_intact()`.
template <typename T>
class device_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// @param misalign_elements  Elements that data() lies past a multiple of 256 bytes.
  explicit device_buffer(std::vector<T> const& values, std::size_t misalign_elements = 0)
    : device_buffer(values.size(), poison{}, misalign_elements)
  {
    write(values);
  }

  device_buffer(std::size_t size, poison, std::size_t misalign_elements = 0)
    : size_{size},
      front_{canary_bytes + misalign_elements * sizeof(T)},
      memory_{allocate(total_bytes())}
  {
    require_cuda(cudaMemset(memory_.get(), canary, total_bytes()), "cudaMemset");
    fill_with_nan();
  }

  [[nodiscard]] T* data() { return reinterpret_cast<T*>(memory_.get() + front_); }
  [[nodiscard]] T const* data() const { return reinterpret_cast<T const*>(memory_.get() + front_); }
  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] std::vector<T> read() const
  {
    std::vector<T> values(size_);
    copy(values.data(), data(), size_ * sizeof(T), cudaMemcpyDeviceToHost);
    return values;
  }

  /// Replaces the contents; `values` has size() elements.
  void write(std::vector<T> const& values)
  {
    copy(data(), values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice);
  }

  void fill_with_nan()
  {
    require_cuda(cudaMemset(memory_.get() + front_, 0xFF, size_ * sizeof(T)), "cudaMemset");
    require_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  [[nodiscard]] bool canaries_intact() const
  {
    unsigned char const* const after = memory_.get() + front_ + size_ * sizeof(T);
    return is_canary(memory_.get(), front_) && is_canary(after, canary_bytes);
  }

 private:
  static constexpr std::size_t canary_bytes = 256;
  static constexpr unsigned char canary     = 0xA7;

  struct release {
    void operator()(unsigned char* memory) const { static_cast<void>(cudaFree(memory)); }
  };
  using owner = std::unique_ptr<unsigned char, release>;

  [[nodiscard]] static owner allocate(std::size_t bytes)
  {
    void* memory = nullptr;
    require_cuda(cudaMalloc(&memory, bytes), "cudaMalloc");
    return owner{static_cast<unsigned char*>(memory)};
  }

  /// test_stream() does not wait for the default stream, nor the other way round, so every copy
  /// waits for both.
  static void copy(void* to, void const* from, std::size_t bytes, cudaMemcpyKind kind)
  {
    require_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    require_cuda(cudaMemcpy(to, from, bytes, kind), "cudaMemcpy");
    require_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  [[nodiscard]] static bool is_canary(unsigned char const* device, std::size_t bytes)
  {
    std::vector<unsigned char> found(bytes);
    copy(found.data(), device, bytes, cudaMemcpyDeviceToHost);
    return std::all_of(found.begin(), found.end(),
                       [](unsigned char byte) { return byte == canary; });
  }

  [[nodiscard]] std::size_t total_bytes() const
  {
    return front_ + size_ * sizeof(T) + canary_bytes;
  }

  std::size_t size_;
  std::size_t front_;
  owner memory_;
};

/// Whether kernels can run.
[[nodiscard]] inline bool device_available()
{
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
}

/// A stream that does not wait for the default stream: work put on the wrong one shows.
[[nodiscard]] inline cudaStream_t test_stream()
{
  static cudaStream_t const stream = [] {
    cudaStream_t made = nullptr;
    require_cuda(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking),
                 "cudaStreamCreateWithFlags");
    return made;
  }();
  return stream;
}

/// Waits for test_stream() and returns how its work ended.
[[nodiscard]] inline cudaError_t synchronize()
{
  return cudaStreamSynchronize(test_stream());
}

/// Runs `check` as often as its kernels' threads can be ordered in a way that matters: a GPU orders
/// them itself.
template <typename Check>
void under_every_schedule(Check const& check)
{
  check();
}
