// SPDX-License-Identifier: Apache-2.0
// A picture blurred by a 21x21 Gaussian, and its Sobel edges, colour plane by colour plane. Beyond
// the border the nearest pixel repeats. Without a GPU the same kernels run emulated, on pictures
// that are not too large for it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <dwconv/dwconv.cuh>

#include "agreement.hpp"
#include "command_line.hpp"
#include "cuda_handles.cuh"
#include "emulated_forward.hpp"
#include "example_main.hpp"
#include "png_picture.hpp"

namespace {

using namespace examples;
using dwconv::conv2d_problem;

constexpr std::int64_t blur_taps        = 21;
constexpr std::int64_t sobel_taps       = 3;
constexpr double most_emulated_products = 1e10;  // under a minute
constexpr std::int64_t checked_outputs  = 1 << 16;

struct settings {
  std::string input;
  std::string out_blur  = "blurred.png";
  std::string out_edges = "edges.png";
  double sigma          = 3.5;
  bool gray             = false;
  bool check            = false;
};

/// Filters of square extent for every colour of a picture: [colours * multiplier, taps, taps].
struct filter_bank {
  std::int64_t taps;
  std::int64_t multiplier;
  std::vector<float> weights;

  [[nodiscard]] conv2d_problem problem_for(picture const& image) const
  {
    return {.batch      = 1,
            .channels   = image.colours,
            .multiplier = multiplier,
            .input      = {image.height + taps - 1, image.width + taps - 1},
            .filter     = {taps, taps}};
  }
};

/// The same filters for every colour.
filter_bank for_each_colour(std::int64_t colours, std::int64_t taps,
                            std::vector<float> const& filters)
{
  filter_bank bank{taps, static_cast<std::int64_t>(filters.size()) / (taps * taps), {}};
  for (std::int64_t c = 0; c < colours; ++c) {
    bank.weights.insert(bank.weights.end(), filters.begin(), filters.end());
  }
  return bank;
}

/// Weights sum to one; what a Gaussian has outside its 21x21 taps is left out.
filter_bank gaussian(std::int64_t colours, double sigma)
{
  std::vector<double> line;
  double sum = 0;
  for (std::int64_t t = 0; t < blur_taps; ++t) {
    double const distance = static_cast<double>(t - blur_taps / 2) / sigma;
    sum += line.emplace_back(std::exp(-0.5 * distance * distance));
  }
  std::vector<float> weights;
  for (double const row : line) {
    for (double const column : line) {
      weights.push_back(static_cast<float>(row / sum * (column / sum)));
    }
  }
  return for_each_colour(colours, blur_taps, weights);
}

/// Two filters a colour: output channel 2c is the horizontal gradient of colour c, 2c + 1 the
/// vertical one.
filter_bank sobel(std::int64_t colours)
{
  return for_each_colour(colours, sobel_taps,
                         {-1, 0, 1, -2, 0, 2, -1, 0, 1,    //
                          -1, -2, -1, 0, 0, 0, 1, 2, 1});  //
}

std::uint8_t sample_at(picture const& image, std::int64_t row, std::int64_t column,
                       std::int64_t colour)
{
  row    = std::clamp<std::int64_t>(row, 0, image.height - 1);
  column = std::clamp<std::int64_t>(column, 0, image.width - 1);
  return image
    .samples[static_cast<std::size_t>((row * image.width + column) * image.colours + colour)];
}

/// Colour planes of floats with `margin` repeated pixels on every side.
std::vector<float> planes_of(picture const& image, std::int64_t margin)
{
  std::vector<float> planes;
  planes.reserve(static_cast<std::size_t>(image.colours * (image.height + 2 * margin) *
                                          (image.width + 2 * margin)));
  for (std::int64_t c = 0; c < image.colours; ++c) {
    for (std::int64_t i = -margin; i < image.height + margin; ++i) {
      for (std::int64_t j = -margin; j < image.width + margin; ++j) {
        planes.push_back(sample_at(image, i, j, c));
      }
    }
  }
  return planes;
}

std::vector<float> convolve_on_device(conv2d_problem const& problem, std::vector<float> const& x,
                                      std::vector<float> const& filter)
{
  auto const stream = make_stream();
  device_buffer<float> const device_x{x, stream.get()};
  device_buffer<float> const device_filter{filter, stream.get()};
  device_buffer<float> device_y{output_elements(problem)};
  device_y.poison(stream.get());
  require(dwconv::forward<float>(
    problem, {.x = device_x.data(), .filter = device_filter.data(), .y = device_y.data()},
    stream.get()));
  return device_y.download(stream.get());
}

std::vector<float> convolve_on_cpu(conv2d_problem const& problem, std::vector<float> const& x,
                                   std::vector<float> const& filter)
{
  auto const plan = plan_emulated(problem);
  require(plan.outcome);
  std::vector<float> y(static_cast<std::size_t>(output_elements(problem)), std::nanf(""));
  run_emulated(plan, {.x = x.data(), .filter = filter.data(), .y = y.data()});
  return y;
}

/// Compares outputs with sums in double, straight from the picture.
void check(char const* what, picture const& image, filter_bank const& bank,
           std::vector<float> const& y)
{
  agreement found;
  for (auto const offset : sampled_offsets(static_cast<std::int64_t>(y.size()), checked_outputs)) {
    std::int64_t const column = offset % image.width;
    std::int64_t const row    = offset / image.width % image.height;
    std::int64_t const k      = offset / image.width / image.height;
    dwconv_reference::sum_at expected{.terms = bank.taps * bank.taps};
    for (std::int64_t t = 0; t < bank.taps * bank.taps; ++t) {
      double const product =
        static_cast<double>(bank.weights[static_cast<std::size_t>(k * bank.taps * bank.taps + t)]) *
        sample_at(image, row + t / bank.taps - bank.taps / 2,
                  column + t % bank.taps - bank.taps / 2, k / bank.multiplier);
      expected.value += product;
      expected.magnitude += std::fabs(product);
    }
    found.add(y[static_cast<std::size_t>(offset)], expected.value,
              dwconv_reference::error_bound<float>(expected));
  }
  found.report(what);
}

std::vector<float> convolve(char const* what, picture const& image, filter_bank const& bank,
                            bool with_check)
{
  conv2d_problem const problem = bank.problem_for(image);
  require(validate(problem));
  std::printf("%-24s %s\n", what, describe(problem).c_str());
  auto const x = planes_of(image, bank.taps / 2);
  auto y       = has_device() ? convolve_on_device(problem, x, bank.weights)
                              : convolve_on_cpu(problem, x, bank.weights);
  if (with_check) { check(what, image, bank, y); }
  return y;
}

/// A picture of `value_of(colour, pixel)`, rounded, and clipped to 0 to 255.
template <typename Value>
picture picture_of(picture const& like, Value const& value_of)
{
  picture image = like;
  auto* sample  = image.samples.data();
  for (std::int64_t pixel = 0; pixel < image.height * image.width; ++pixel) {
    for (std::int64_t c = 0; c < image.colours; ++c) {
      *sample++ = static_cast<std::uint8_t>(std::clamp(value_of(c, pixel) + 0.5f, 0.0f, 255.0f));
    }
  }
  return image;
}

picture blurred(picture const& image, std::vector<float> const& y)
{
  std::int64_t const plane = image.height * image.width;
  return picture_of(image, [&](std::int64_t c, std::int64_t pixel) {
    return y[static_cast<std::size_t>(c * plane + pixel)];
  });
}

/// Length of the gradient, a quarter of it: a step from black to white along an axis gives 255.
picture edges(picture const& image, std::vector<float> const& y)
{
  std::int64_t const plane = image.height * image.width;
  return picture_of(image, [&](std::int64_t c, std::int64_t pixel) {
    return std::hypot(y[static_cast<std::size_t>(2 * c * plane + pixel)],
                      y[static_cast<std::size_t>((2 * c + 1) * plane + pixel)]) /
           4;
  });
}

/// A disc, bars that get finer, and a one-pixel frame near the border, on a slope of colour.
picture test_picture(bool gray)
{
  picture image{.height = 256, .width = 384, .colours = gray ? 1 : 3};
  for (std::int64_t i = 0; i < image.height; ++i) {
    for (std::int64_t j = 0; j < image.width; ++j) {
      bool const disc = std::hypot(static_cast<double>(i - 110), static_cast<double>(j - 110)) < 70;
      bool const bars =
        i >= 40 && i < 180 && j >= 220 && j < 350 && (i - 40) % (j < 285 ? 20 : 8) < 4;
      bool const frame         = i == 8 || j == 8 || i == image.height - 9 || j == image.width - 9;
      bool const corner        = i + j < 24;
      std::int64_t const rgb[] = {disc || corner ? 255 : j / 3, bars || corner ? 255 : i / 2,
                                  frame || corner ? 255 : (disc ? 40 : 90)};
      for (std::int64_t c = 0; c < image.colours; ++c) {
        std::int64_t const value = gray ? (rgb[0] + rgb[1] + rgb[2]) / 3 : rgb[c];
        image.samples.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  return image;
}

/// An emulated kernel takes its time: refuses what would take much longer than a minute.
void require_patience(picture const& image)
{
  if (has_device()) { return; }
  double const products =
    static_cast<double>(image.height * image.width * image.colours * blur_taps * blur_taps);
  if (products > most_emulated_products) {
    throw std::runtime_error{
      "no CUDA device, and this picture is too large to emulate: it has " +
      std::to_string(image.height * image.width * image.colours) + " samples, must be at most " +
      std::to_string(static_cast<std::int64_t>(most_emulated_products / blur_taps / blur_taps))};
  }
  std::printf("no CUDA device: the kernels run emulated on the CPU\n");
}

int image_example(int argc, char** argv)
{
  settings chosen;
  std::vector<option> const options{
    {"input", "PNG to read (a test picture)", &chosen.input},
    {"gray", "read it as shades of gray", &chosen.gray},
    {"sigma", "of the Gaussian, in pixels (3.5)", &chosen.sigma},
    {"out-blur", "PNG to write (blurred.png)", &chosen.out_blur},
    {"out-edges", "PNG to write (edges.png)", &chosen.out_edges},
    {"check", "compare with sums in double", &chosen.check},
  };
  if (!read_command_line(argc, argv, options)) { return exit_good; }
  if (!(chosen.sigma > 0) || std::isinf(chosen.sigma)) {
    char value[32];
    std::snprintf(value, sizeof value, "%g", chosen.sigma);
    throw std::invalid_argument{std::string{"--sigma is "} + value +
                                ", must be above 0 and finite"};
  }
  if (chosen.out_blur == chosen.out_edges) {
    throw std::invalid_argument{"--out-blur and --out-edges are the same file, " + chosen.out_blur};
  }

  picture const image =
    chosen.input.empty() ? test_picture(chosen.gray) : read_png(chosen.input, chosen.gray);
  require_patience(image);
  auto const blur = convolve("blur", image, gaussian(image.colours, chosen.sigma), chosen.check);
  write_png(chosen.out_blur, blurred(image, blur));
  auto const gradients = convolve("edges", image, sobel(image.colours), chosen.check);
  write_png(chosen.out_edges, edges(image, gradients));
  std::printf("wrote %s and %s\n", chosen.out_blur.c_str(), chosen.out_edges.c_str());
  return exit_good;
}

}  // namespace

int main(int argc, char** argv)
{
  return run_example([&] { return image_example(argc, argv); });
}
