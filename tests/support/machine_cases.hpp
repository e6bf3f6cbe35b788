// A stage with GPU kernels and the machine: memory, recorded steps, the list of kernels, and what it says when
// it cannot. The cases are the same for every such stage (machine_cases.cpp, one of a test's SOURCES); the test
// says which stage it is.
#pragma once

#include <string>
#include <vector>

#include "tests/support/device.hpp"

namespace ladder::testing {

struct MachineStage {
  int number;
  MakeDeviceOps make;
  std::vector<std::string> launched;  ///< kernels that a step must launch, among others of the stage
  std::vector<std::string> left_out;  ///< kernels that the stage has but a step must not launch
  Architecture architecture = Architecture::microgpt;  ///< of the model that it trains
};

/// Defined by the test that the cases are linked into.
const MachineStage& machine_stage();

}  // namespace ladder::testing
