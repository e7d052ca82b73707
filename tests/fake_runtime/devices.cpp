// SPDX-License-Identifier: Apache-2.0
#include "record.hpp"
#include "support/catch.hpp"

using dwconv::status_code;

TEST_CASE("facts of the device reach the plan", "[devices]")
{
  fake_cudart::reset();
  CHECK(subject::plan(modest, 0).device == dwconv::h200_facts);
  fake_cudart::pretended().facts.multiprocessors = 7;
  CHECK(subject::plan(modest, 0).device.multiprocessors == 7);
}

TEST_CASE("without a GPU the answer is no_device and nothing is launched", "[devices]")
{
  fake_cudart::reset();
  fake_cudart::pretended().devices = 0;
  CHECK(subject::forward(modest, somewhere(), callers_stream).code == status_code::no_device);
  CHECK(subject::plan(modest, 0).outcome.code == status_code::no_device);
  CHECK(launches() == 0);
  CHECK(fake_cudart::calls().back().name == "cudaGetLastError");  // the error is not left behind
}

TEST_CASE("a GPU older than sm_75 is refused by name", "[devices]")
{
  fake_cudart::reset();
  fake_cudart::pretended().facts.compute_capability = 70;
  auto const status = subject::forward(modest, somewhere(), callers_stream);
  CHECK(status.code == status_code::device_too_old);
  CHECK(status.value == 70);
  CHECK(status.limit == 75);
  CHECK(launches() == 0);

  fake_cudart::pretended().facts.compute_capability = 75;
  CHECK(subject::forward(modest, somewhere(), callers_stream).ok());
}

TEST_CASE("a device number that does not exist is refused", "[devices]")
{
  fake_cudart::reset();
  CHECK(subject::plan(modest, -1).outcome.code == status_code::too_small);
  CHECK(subject::plan(modest, 1).outcome.code == status_code::too_large);
}
