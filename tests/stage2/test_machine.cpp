// Stage 2 and the machine: the cases of tests/support/machine_cases.cpp, and what only this stage refuses.
#include <catch2/catch.hpp>

#include <string>

#include "tests/stage2/device.hpp"
#include "tests/support/machine_cases.hpp"

namespace ladder::testing {

const MachineStage& machine_stage() {
  static const MachineStage stage = {
      2,
      make_cuda_ops,
      {"stage2.adam", "stage2.attention_collect_key", "stage2.attention_mix_value",
       "stage2.attention_softmax", "stage2.cross_entropy", "stage2.embedding_backward_token",
       "stage2.linear_backward_input", "stage2.linear_backward_weight", "stage2.linear_forward",
       "stage2.relu_forward", "stage2.residual_forward", "stage2.rmsnorm_backward"},
      {}};
  return stage;
}

}  // namespace ladder::testing

using namespace ladder;  // NOLINT(google-build-using-namespace)

TEST_CASE("types that the stage does not compute in are refused by name", "[stage2]") {
  for (const Dtype dtype : {Dtype::bf16, Dtype::fp16, Dtype::tf32})
    CHECK_THROWS_WITH(
        make_cuda_ops(CudaOptions{dtype, Device::cpu}),
        Catch::Contains("stage 2 computes in fp32 or fp64, not in " + std::string(name_of(dtype))));
}
