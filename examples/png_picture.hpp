// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace examples {

/// 8-bit samples, row after row, the colours of a pixel side by side.
struct picture {
  std::int64_t height  = 0;
  std::int64_t width   = 0;
  std::int64_t colours = 3;  ///< 3: red, green, blue. 1: gray.
  std::vector<std::uint8_t> samples{};
};

/// Reads any PNG as 8-bit gray or RGB; transparency is laid over black.
///
/// @param always_gray Turns colours into gray.
/// @throws std::runtime_error that names the file and what is wrong with it, or with its size.
[[nodiscard]] picture read_png(std::string const& path, bool always_gray);

/// @throws std::runtime_error that names the file and why it cannot be written.
void write_png(std::string const& path, picture const& image);

/// Throws where the example's buffers for such a picture would not fit in this machine's memory.
void require_host_memory(std::int64_t height, std::int64_t width, std::int64_t colours);

}  // namespace examples
