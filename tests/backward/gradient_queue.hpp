// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "backward/scenario.hpp"
#include "support/catch.hpp"

/// Tensors one after the other in one buffer, with gaps of NaN between them; of odd lengths, so
/// that tensors start at every alignment.
template <typename T>
class tensor_row {
 public:
  [[nodiscard]] std::size_t append(std::vector<T> const& tensor, std::size_t gap)
  {
    if (!all_.empty()) { all_.insert(all_.end(), gap, nan()); }
    std::size_t const start = all_.size();
    all_.insert(all_.end(), tensor.begin(), tensor.end());
    return start;
  }
  [[nodiscard]] std::size_t append_nan(std::size_t size, std::size_t gap)
  {
    return append(std::vector<T>(size, nan()), gap);
  }

  [[nodiscard]] std::vector<T> const& all() const { return all_; }
  void clear() { all_.clear(); }

  static T nan()
  {
    T value;
    std::memset(static_cast<void*>(&value), 0xFF, sizeof(T));
    return value;
  }

 private:
  std::vector<T> all_;
};

/// Many small cases in every direction, compared exactly; gradients of filter and bias in T and in
/// float in turn. On a GPU hundreds of them share buffers, since allocation and copies take far
/// longer than the kernels; in emulation each has its own, so that AddressSanitizer knows where a
/// tensor ends.
template <typename T>
class gradient_queue {
 public:
  ~gradient_queue() { flush(); }

  void add(dwconv::conv2d_problem const& problem, std::uint64_t seed)
  {
    ++count_;
    turned_ += is_turned(problem);
    gradient_case<T> c = integer_gradients<T>(problem, seed);
    auto const gap     = static_cast<std::size_t>(8 + seed % 9);
    place at;
    at.x         = x_.append(c.x, gap);
    at.dy        = dy_.append(c.dy, gap);
    at.filter    = filter_.append(c.filter, gap);
    at.dx        = dx_.append_nan(c.x.size(), gap);
    at.direct_dx = dx_.append_nan(c.x.size(), gap);
    at.dfilter   = own_.append_nan(c.filter.size(), gap);
    at.dbias     = own_.append_nan(channels(problem), gap);
    at.dfilter_f = floats_.append_nan(c.filter.size(), gap);
    at.dbias_f   = floats_.append_nan(channels(problem), gap);
    at.in_float  = count_ % 2 == 0;
    at.scratch   = sums_.append_nan(scratch_elements(problem), 1);
    places_.push_back(at);
    cases_.push_back(std::move(c));
    if (cases_.size() == most_at_once) { flush(); }
  }

  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] int turned() const { return turned_; }  ///< Of count(), by a forward kernel.
  [[nodiscard]] int wrong() const { return wrong_; }

  /// Runs and compares whatever waits.
  void flush()
  {
    if (cases_.empty()) { return; }
    buffers b{*this};
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      run_data(b, cases_[i].problem, places_[i]);
      if (places_[i].in_float) {
        run_sums(b, cases_[i].problem, places_[i], b.floats.data() + places_[i].dfilter_f,
                 b.floats.data() + places_[i].dbias_f);
      } else {
        run_sums(b, cases_[i].problem, places_[i], b.own.data() + places_[i].dfilter,
                 b.own.data() + places_[i].dbias);
      }
    }
    if (synchronize() != cudaSuccess) { complain("the device reports an error"); }
    if (!b.canaries_intact()) { complain("a kernel wrote outside the gradients"); }
    compare_all(b);
    cases_.clear(), places_.clear();
    x_.clear(), dy_.clear(), filter_.clear(), dx_.clear(), own_.clear();
    floats_.clear(), sums_.clear();
  }

 private:
  using sum = dwconv::sum_of<T>;

#if defined(__CUDACC__)
  static constexpr std::size_t most_at_once = 512;
#else
  static constexpr std::size_t most_at_once = 1;
#endif

  /// Where a case's tensors begin, in elements.
  struct place {
    std::size_t x, dy, filter, dx, direct_dx, dfilter, dbias, dfilter_f, dbias_f, scratch;
    bool in_float;
  };

  struct buffers {
    device_buffer<T> x, dy, filter, dx, own;
    device_buffer<float> floats;
    device_buffer<sum> sums;

    explicit buffers(gradient_queue const& q)
      : x{q.x_.all()},
        dy{q.dy_.all()},
        filter{q.filter_.all()},
        dx{q.dx_.all()},
        own{q.own_.all()},
        floats{q.floats_.all()},
        sums{q.sums_.all()}
    {}
    [[nodiscard]] bool canaries_intact() const
    {
      return x.canaries_intact() && dy.canaries_intact() && filter.canaries_intact() &&
             dx.canaries_intact() && own.canaries_intact() && floats.canaries_intact() &&
             sums.canaries_intact();
    }
  };

  [[nodiscard]] static bool is_turned(dwconv::conv2d_problem const& problem)
  {
    return dwconv::make_backward_data_plan<T>(problem, 0).family != dwconv::kernel_family::direct;
  }
  [[nodiscard]] static std::size_t channels(dwconv::conv2d_problem const& problem)
  {
    return static_cast<std::size_t>(problem.output_channels());
  }
  [[nodiscard]] static std::size_t scratch_elements(dwconv::conv2d_problem const& problem)
  {
    auto const bytes = workspace_bytes(dwconv::make_backward_filter_plan<T>(problem, 0)) +
                       workspace_bytes(dwconv::make_backward_bias_plan<T>(problem, 0));
    return static_cast<std::size_t>(bytes) / sizeof(sum);
  }

  void expect(dwconv::status const& outcome, dwconv::conv2d_problem const& problem)
  {
    if (!outcome.ok()) { complain(describe(problem) + ": " + outcome.message()); }
  }

  void run_data(buffers& b, dwconv::conv2d_problem const& problem, place const& at)
  {
    dwconv::backward_data_tensors<T> tensors{b.dy.data() + at.dy, b.filter.data() + at.filter,
                                             b.dx.data() + at.dx};
    expect(dwconv::backward_data<T>(problem, tensors, test_stream()), problem);
    tensors.dx = b.dx.data() + at.direct_dx;
    if (is_turned(problem)) {
      expect(data_door{dwconv::kernel_family::direct}(problem, tensors, test_stream()), problem);
    }
  }

  template <typename Gradient>
  void run_sums(buffers& b, dwconv::conv2d_problem const& problem, place const& at,
                Gradient* dfilter, Gradient* dbias)
  {
    auto const of_filter = dwconv::make_backward_filter_plan<T>(problem, 0);
    auto const of_bias   = dwconv::make_backward_bias_plan<T>(problem, 0);
    dwconv::workspace const scratch{b.sums.data() + at.scratch, workspace_bytes(of_filter)};
    dwconv::workspace const rest{static_cast<char*>(scratch.data) + scratch.bytes,
                                 workspace_bytes(of_bias)};
    dwconv::backward_filter_tensors<T, Gradient> const tensors{b.x.data() + at.x,
                                                               b.dy.data() + at.dy, dfilter};
    expect(dwconv::run<T, Gradient>(of_filter, tensors, scratch, test_stream()), problem);
    dwconv::backward_bias_tensors<T, Gradient> const bias{b.dy.data() + at.dy, dbias};
    expect(dwconv::run<T, Gradient>(of_bias, bias, rest, test_stream()), problem);
  }

  /// Compares one gradient, and takes it out of what was read.
  template <typename Gradient>
  void take(char const* name, dwconv::conv2d_problem const& problem,
            std::vector<dwconv_reference::sum_at> const& expected, Gradient* found)
  {
    agreement const a = compare_gradient<T>(name, problem, expected, found, tolerance::none);
    if (!a) { complain(a.complaint); }
    std::fill(found, found + expected.size(), tensor_row<Gradient>::nan());
  }

  void compare_all(buffers const& b)
  {
    auto dx = b.dx.read(), own = b.own.read();
    auto floats = b.floats.read();
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      auto const& [problem, x, dy, filter] = cases_[i];
      place const& at                      = places_[i];
      auto const of_x                      = dwconv_reference::backward_data(problem, dy, filter);
      auto const of_filter                 = dwconv_reference::backward_filter(problem, x, dy);
      auto const of_bias                   = dwconv_reference::backward_bias(problem, dy);
      take("dx", problem, of_x, dx.data() + at.dx);
      if (is_turned(problem)) { take("direct dx", problem, of_x, dx.data() + at.direct_dx); }
      if (at.in_float) {
        take("dfilter in float", problem, of_filter, floats.data() + at.dfilter_f);
        take("dbias in float", problem, of_bias, floats.data() + at.dbias_f);
      } else {
        take("dfilter", problem, of_filter, own.data() + at.dfilter);
        take("dbias", problem, of_bias, own.data() + at.dbias);
      }
    }
    // With every case's gradients taken out, only gaps are left.
    if (!same_bits(dx, dx_.all()) || !same_bits(own, own_.all()) ||
        !same_bits(floats, floats_.all())) {
      complain("a kernel wrote between two gradients");
    }
    if (!same_bits(b.x.read(), x_.all()) || !same_bits(b.dy.read(), dy_.all()) ||
        !same_bits(b.filter.read(), filter_.all())) {
      complain("a kernel wrote to its inputs");
    }
  }

  void complain(std::string const& what)
  {
    if (++wrong_ <= 10) { FAIL_CHECK(what); }
  }

  std::vector<gradient_case<T>> cases_;
  std::vector<place> places_;
  tensor_row<T> x_, dy_, filter_, dx_, own_;
  tensor_row<float> floats_;
  tensor_row<sum> sums_;
  int count_  = 0;
  int turned_ = 0;
  int wrong_  = 0;
};
