// Every operation of the subset as a kernel: the GPU's results against the CPU model's, bit by bit
// where rounding is exact.
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <iostream>

#include "shared/base/error.hpp"
#include "tests/tile/subset_run.hpp"

using ladder::SubsetSlot;

namespace {

/// The same bits; all NaNs count as one.
bool same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Where the two sides first differ, in words, or nothing.
std::string difference(const SubsetSlot& cpu, const SubsetSlot& gpu) {
  double squares = 0;
  for (double value : cpu.values) squares += std::isfinite(value) ? value * value : 0;
  const double rms = std::sqrt(squares / static_cast<double>(cpu.values.size()));
  for (std::size_t i = 0; i < cpu.values.size(); ++i) {
    const double a = cpu.values[i], b = gpu.values[i];
    const bool near = same_bits(a, b) || std::abs(a - b) <= cpu.tolerance * (std::abs(a) + rms);
    if (!near)
      return "element " + std::to_string(i) + ": CPU " + std::to_string(a) + ", GPU " + std::to_string(b);
  }
  return "";
}

}  // namespace

TEST_CASE("the GPU gives the CPU model's results") {
  std::vector<SubsetSlot> gpu;
  try {
    gpu = ladder::on_gpu::run_subset();
  } catch (const ladder::MachineError& error) {
    std::cout << "SKIPPED: " << error.what() << '\n';
    return;
  }
  const auto cpu = ladder::on_cpu::run_subset();
  REQUIRE(cpu.size() == gpu.size());
  for (std::size_t s = 0; s < cpu.size(); ++s) {
    INFO(cpu[s].name);
    REQUIRE(cpu[s].name == gpu[s].name);
    CHECK(difference(cpu[s], gpu[s]) == "");
  }
}
