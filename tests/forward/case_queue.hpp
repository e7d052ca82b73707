// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <vector>

#include "forward/scenario.hpp"
#include "support/catch.hpp"

/// Many small cases, compared exactly, each through the door and, where that takes another family,
/// through the direct family as well. On a GPU thousands of them share buffers, since allocation
/// and copies take far longer than the kernels; in emulation each has its own, so that
/// AddressSanitizer knows where a tensor ends.
template <typename T>
class case_queue {
 public:
  ~case_queue() { flush(); }

  void add(dwconv::conv2d_problem const& problem, std::uint64_t seed)
  {
    ++count_;
    enqueue(problem, seed, false);
    if (!window_takes<T>(problem)) { return; }
    ++windows_;
    enqueue(problem, seed, true);
  }

  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] int windows() const { return windows_; }  ///< Of count(), through both families.
  [[nodiscard]] int wrong() const { return wrong_; }

  /// Runs and compares whatever waits.
  void flush()
  {
    if (cases_.empty()) { return; }
    device_buffer<T> x{x_}, filter{filter_}, y{y_};
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      place const& at = places_[i];
      dwconv::forward_tensors<T> const tensors{x.data() + at.x, filter.data() + at.filter,
                                               y.data() + at.y};
      auto const outcome = at.direct ? family_door{dwconv::kernel_family::direct}(
                                         cases_[i].problem, tensors, test_stream())
                                     : run_time_door{}(cases_[i].problem, tensors, test_stream());
      if (!outcome.ok()) { complain(describe(cases_[i].problem) + ": " + outcome.message()); }
    }
    if (synchronize() != cudaSuccess) { complain("the device reports an error"); }
    if (!y.canaries_intact()) { complain("a kernel wrote outside y"); }
    compare_all(y.read());
    cases_.clear();
    places_.clear();
    for (auto* tensor : {&x_, &filter_, &y_}) { tensor->clear(); }
  }

 private:
  struct place {
    std::size_t x, filter, y;
    bool direct;
  };

  void enqueue(dwconv::conv2d_problem const& problem, std::uint64_t seed, bool direct)
  {
    forward_case<T> c = integer_case<T>(problem, seed);
    // Gaps of NaN between cases; of odd lengths, so that tensors start at every alignment.
    auto const gap = static_cast<std::size_t>(32 + seed % 9);
    places_.push_back({append(x_, c.x, gap), append(filter_, c.filter, gap),
                       append(y_, std::vector<T>(y_size(problem), nan()), gap), direct});
    cases_.push_back(std::move(c));
    if (cases_.size() == most_at_once) { flush(); }
  }

#if defined(__CUDACC__)
  static constexpr std::size_t most_at_once = 4096;
#else
  static constexpr std::size_t most_at_once = 1;
#endif

  static T nan()
  {
    T value;
    std::memset(static_cast<void*>(&value), 0xFF, sizeof(T));
    return value;
  }

  static std::size_t append(std::vector<T>& all, std::vector<T> const& one, std::size_t gap)
  {
    if (!all.empty()) { all.insert(all.end(), gap, nan()); }
    std::size_t const start = all.size();
    all.insert(all.end(), one.begin(), one.end());
    return start;
  }

  void compare_all(std::vector<T> found)
  {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      T* const y        = found.data() + places_[i].y;
      agreement const a = compare(cases_[i], y, tolerance::none);
      if (!a) { complain(a.complaint); }
      std::fill(y, y + y_size(cases_[i].problem), nan());
    }
    // With every case's outputs taken out, only gaps are left.
    if (!same_bits(found, y_)) { complain("a kernel wrote between two tensors"); }
  }

  void complain(std::string const& what)
  {
    if (++wrong_ <= 10) { FAIL_CHECK(what); }
  }

  std::vector<forward_case<T>> cases_;
  std::vector<place> places_;
  std::vector<T> x_, filter_, y_;
  int count_   = 0;
  int windows_ = 0;
  int wrong_   = 0;
};
