// Stage 3 and the machine: the cases of tests/support/machine_cases.cpp. Refusals of
// bad input: test_refusals.cpp.
#include "tests/stage3/device.hpp"
#include "tests/support/machine_cases.hpp"

namespace ladder::testing {

const MachineStage& machine_stage() {
  static const MachineStage stage = {
      3,
      make_tile_ops,
      {"stage3.adam", "stage3.attention_backward_key_value", "stage3.attention_backward_query",
       "stage3.attention_forward", "stage3.cross_entropy", "stage3.linear_forward", "stage3.rmsnorm_scale"},
      {"stage3.relu_forward", "stage3.relu_backward", "stage3.residual_forward"}};  // parts of a product
  return stage;
}

}  // namespace ladder::testing
