// SPDX-License-Identifier: Apache-2.0
#include <dwconv/problem/traffic.hpp>

#include "problem/fields.hpp"
#include "support/catch.hpp"

using dwconv::dtype;
using dwconv::forward_traffic;
using dwconv::traffic;

static_assert(forward_traffic({.batch = 1, .channels = 2, .input = {3, 3}, .filter = {3, 3}},
                              dtype::float16)
                .bytes() == 2 * (18 + 18 + 2));

TEST_CASE("traffic is each tensor once and a multiply-add per tap and output", "[traffic]")
{
  // x 2x3x7x9, filter 6x3x2, y 2x6x3x9.
  traffic const t = forward_traffic(ordinary_problem(), dtype::float32);
  CHECK(t.bytes_read == 4 * (378 + 36));
  CHECK(t.bytes_written == 4 * 324);
  CHECK(t.bytes() == 4 * (378 + 36 + 324));
  CHECK(t.multiply_adds == 324.0 * 6);
  CHECK(t.flops() == 2 * 324.0 * 6);
}

TEST_CASE("traffic in bytes follows the element size, work does not", "[traffic]")
{
  traffic const single = forward_traffic(ordinary_problem(), dtype::float32);
  for (dtype const type : {dtype::float16, dtype::bfloat16, dtype::float64}) {
    traffic const other = forward_traffic(ordinary_problem(), type);
    CHECK(other.bytes_read * 4 == single.bytes_read * size_in_bytes(type));
    CHECK(other.bytes_written * 4 == single.bytes_written * size_in_bytes(type));
    CHECK(other.multiply_adds == single.multiply_adds);
  }
}

TEST_CASE("traffic does not depend on the layout", "[traffic]")
{
  dwconv::conv2d_problem p = ordinary_problem();
  p.data_layout            = dwconv::layout::nhwc;
  CHECK(forward_traffic(p, dtype::float32) == forward_traffic(ordinary_problem(), dtype::float32));
}

TEST_CASE("an empty batch reads the filter at most and writes nothing", "[traffic]")
{
  dwconv::conv2d_problem p = ordinary_problem();
  p.batch                  = 0;
  traffic const t          = forward_traffic(p, dtype::float64);
  CHECK(t.bytes_read == 8 * 36);
  CHECK(t.bytes_written == 0);
  CHECK(t.multiply_adds == 0);
}

TEST_CASE("work past 64 bits is still counted", "[traffic]")
{
  dwconv::conv2d_problem const p{.batch    = 1,
                                 .channels = 1,
                                 .input    = {two_to_20 * 16, two_to_20 * 16},
                                 .filter   = {two_to_20, two_to_20}};
  double const outputs = 15.0 * two_to_20 + 1;
  CHECK(forward_traffic(p, dtype::float32).multiply_adds ==
        Approx(outputs * outputs * two_to_20 * two_to_20).epsilon(1e-12));
}

TEST_CASE("gradients read and write other tensors of the same sizes", "[traffic]")
{
  // x 2x3x7x9, filter 6x3x2, y 2x6x3x9.
  traffic const data = dwconv::backward_data_traffic(ordinary_problem(), dtype::float16);
  CHECK(data.bytes_read == 2 * (324 + 36));
  CHECK(data.bytes_written == 2 * 378);
  CHECK(data.multiply_adds == 324.0 * 6);
  traffic const filter =
    dwconv::backward_filter_traffic(ordinary_problem(), dtype::float16, dtype::float32);
  CHECK(filter.bytes_read == 2 * (378 + 324));
  CHECK(filter.bytes_written == 4 * 36);
  CHECK(filter.multiply_adds == 324.0 * 6);
  traffic const bias =
    dwconv::backward_bias_traffic(ordinary_problem(), dtype::float64, dtype::float64);
  CHECK(bias.bytes_read == 8 * 324);
  CHECK(bias.bytes_written == 8 * 6);
  CHECK(bias.multiply_adds == 324.0);
}
