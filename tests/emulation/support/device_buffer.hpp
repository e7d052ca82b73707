// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include <driver_types.h>

#include "engine.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

/// Fills a buffer with 0xFF bytes, which are NaN in every floating-point type.
struct poison {};

/// `size()` elements as a kernel sees them, between two canaries. Under AddressSanitizer reading a
/// canary ends the process; writing one always shows in `canaries_intact()`.
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
    std::memset(memory_.get(), canary, total_bytes());
    fill_with_nan();
    guard();
  }

  device_buffer(device_buffer const&)            = delete;
  device_buffer& operator=(device_buffer const&) = delete;
  ~device_buffer() { unguard(); }

  [[nodiscard]] T* data() { return reinterpret_cast<T*>(memory_.get() + front_); }
  [[nodiscard]] T const* data() const { return reinterpret_cast<T const*>(memory_.get() + front_); }
  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] std::vector<T> read() const { return std::vector<T>(data(), data() + size_); }

  /// Replaces the contents; `values` has size() elements.
  void write(std::vector<T> const& values) { std::copy(values.begin(), values.end(), data()); }

  void fill_with_nan() { std::memset(memory_.get() + front_, 0xFF, size_ * sizeof(T)); }

  [[nodiscard]] bool canaries_intact() const
  {
    unguard();
    auto const is_canary   = [](unsigned char byte) { return byte == canary; };
    unsigned char const* m = memory_.get();
    bool const intact      = std::all_of(m, m + front_, is_canary) &&
                        std::all_of(m + front_ + size_ * sizeof(T), m + total_bytes(), is_canary);
    guard();
    return intact;
  }

 private:
  static constexpr std::size_t canary_bytes = 256;
  static constexpr unsigned char canary     = 0xA7;

  struct release {
    void operator()(unsigned char* memory) const
    {
      ::operator delete (memory, std::align_val_t{256});
    }
  };
  using owner = std::unique_ptr<unsigned char, release>;

  [[nodiscard]] static owner allocate(std::size_t bytes)
  {
    return owner{static_cast<unsigned char*>(::operator new (bytes, std::align_val_t{256}))};
  }

  [[nodiscard]] std::size_t total_bytes() const
  {
    return front_ + size_ * sizeof(T) + canary_bytes;
  }

  void guard() const
  {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_POISON_MEMORY_REGION(memory_.get(), front_);
    ASAN_POISON_MEMORY_REGION(memory_.get() + front_ + size_ * sizeof(T), canary_bytes);
#endif
  }

  void unguard() const
  {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(memory_.get(), total_bytes());
#endif
  }

  std::size_t size_;
  std::size_t front_;
  owner memory_;
};

/// Whether kernels can run: here, whether the emulated device has not been removed.
[[nodiscard]] inline bool device_available()
{
  return dwconv_emulation::device().has_value();
}

/// A stream of the current device.
[[nodiscard]] inline cudaStream_t test_stream()
{
  return nullptr;
}

/// Waits for test_stream() and returns how its work ended: here, how the last launch ended.
[[nodiscard]] inline cudaError_t synchronize()
{
  return dwconv_emulation::last_error().empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

/// Runs `check` as often as its kernels' threads can be ordered in a way that matters.
template <typename Check>
void under_every_schedule(Check const& check)
{
  auto const before = dwconv_emulation::current_schedule();
  for (auto const& each : dwconv_emulation::every_schedule) {
    dwconv_emulation::set_schedule(each);
    check();
  }
  dwconv_emulation::set_schedule(before);
}
