// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "fake_cudart.hpp"
#include "subject.hpp"

/// Streams and tensors that are only addresses: the stand-in never follows a pointer.
inline cudaStream_t const callers_stream = reinterpret_cast<cudaStream_t>(std::uintptr_t{0x57});

template <typename T>
T* address(std::uintptr_t where)
{
  return reinterpret_cast<T*>(where);
}

/// Far enough apart for any tensor of these tests.
template <typename T = float>
dwconv::forward_tensors<T> somewhere()
{
  return {.x      = address<T>(std::uintptr_t{1} << 50),
          .filter = address<T>(std::uintptr_t{1} << 51),
          .y      = address<T>(std::uintptr_t{1} << 52)};
}

inline dwconv::conv2d_problem const modest{
  .batch = 2, .channels = 5, .input = {33, 65}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

inline bool is_launch(fake_cudart::call const& call)
{
  return call.name.find("Launch") != std::string::npos;
}

inline auto launches()
{
  return std::count_if(fake_cudart::calls().begin(), fake_cudart::calls().end(), is_launch);
}

/// The only launch recorded; fails in the caller's eyes as an empty call when there is another
/// number of them.
inline fake_cudart::call the_launch()
{
  auto const& calls = fake_cudart::calls();
  return launches() == 1 ? *std::find_if(calls.begin(), calls.end(), is_launch)
                         : fake_cudart::call{};
}
