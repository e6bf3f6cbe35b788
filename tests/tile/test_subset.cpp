// Every operation of the subset as a kernel, on the CPU model; test_subset_gpu.cpp compares with a GPU.
#include <catch2/catch.hpp>

#include <cmath>

#include "tests/tile/subset_run.hpp"

using ladder::SubsetSlot;

namespace {

const SubsetSlot& slot_named(const std::vector<SubsetSlot>& slots, const std::string& name) {
  for (const SubsetSlot& slot : slots)
    if (slot.name == name) return slot;
  FAIL("no slot is called " << name);
  return slots.front();
}

}  // namespace

TEST_CASE("the subset's kernels run on the CPU model") {
  const auto slots = ladder::on_cpu::run_subset();
  CHECK(slots.size() > 250);
  const auto& numbers = slot_named(slots, "grid bid, num_blocks").values;
  for (std::size_t i = 0; i < numbers.size(); ++i) CHECK(numbers[i] == static_cast<double>(i));
  CHECK(slot_named(slots, "memory irange").values[0] == 0 + 2 + 4 + 6);
  const auto& tail = slot_named(slots, "memory view, -inf tail").values;
  CHECK(std::isinf(tail[7]));
  CHECK(std::isfinite(tail[6]));
  CHECK(std::isinf(tail[5 * 8]));
}
