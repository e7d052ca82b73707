// SPDX-License-Identifier: Apache-2.0
#include "png_picture.hpp"

#include <stdexcept>

#include <png.h>
#include <unistd.h>

#include "readable_bytes.hpp"

namespace examples {

namespace {

/// libpng's record of one file being read or written, freed on every way out.
struct png_file {
  png_image image{};
  png_file() { image.version = PNG_IMAGE_VERSION; }
  png_file(png_file const&)            = delete;
  png_file& operator=(png_file const&) = delete;
  ~png_file() { png_image_free(&image); }

  [[noreturn]] void fail(std::string const& path) const
  {
    throw std::runtime_error{path + ": " + image.message};
  }
};

}  // namespace

void require_host_memory(std::int64_t height, std::int64_t width, std::int64_t colours)
{
  constexpr double bytes_per_sample = 32;  // 8-bit in and out, float planes of x and both results
  double const needed               = bytes_per_sample * static_cast<double>(height) *
                        static_cast<double>(width) * static_cast<double>(colours);
  double const there =
    static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (needed <= there) { return; }
  throw std::runtime_error{"a picture of " + std::to_string(width) + "x" + std::to_string(height) +
                           " takes about " + readable_bytes(needed) +
                           " of host memory; this machine has " + readable_bytes(there)};
}

picture read_png(std::string const& path, bool always_gray)
{
  png_file file;
  if (png_image_begin_read_from_file(&file.image, path.c_str()) == 0) { file.fail(path); }
  bool const gray   = always_gray || (file.image.format & PNG_FORMAT_FLAG_COLOR) == 0;
  file.image.format = gray ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;

  picture image{.height = file.image.height, .width = file.image.width, .colours = gray ? 1 : 3};
  require_host_memory(image.height, image.width, image.colours);
  image.samples.resize(static_cast<std::size_t>(image.height * image.width * image.colours));
  png_color const black{0, 0, 0};
  if (png_image_finish_read(&file.image, &black, image.samples.data(), 0, nullptr) == 0) {
    file.fail(path);
  }
  return image;
}

void write_png(std::string const& path, picture const& image)
{
  png_file file;
  file.image.height = static_cast<png_uint_32>(image.height);
  file.image.width  = static_cast<png_uint_32>(image.width);
  file.image.format = image.colours == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (png_image_write_to_file(&file.image, path.c_str(), 0, image.samples.data(), 0, nullptr) ==
      0) {
    file.fail(path);
  }
}

}  // namespace examples
