// Stage 4 and the machine, with GPT-2 and its dropout: the cases of tests/support/machine_cases.cpp.
#include "tests/stage4/device.hpp"
#include "tests/support/machine_cases.hpp"

namespace ladder::testing {

const MachineStage& machine_stage() {
  static const MachineStage stage = {
      4,
      make_nano_ops,
      {"stage4.adam", "stage4.cross_entropy", "stage4.dropout", "stage4.dropout_attention_backward_key_value",
       "stage4.dropout_attention_backward_query", "stage4.dropout_attention_forward",
       "stage4.embedding_backward_sorted", "stage4.layer_norm_forward", "stage4.residual_layer_norm_forward"},
      {"stage4.attention_forward", "stage4.embedding_backward_token"},  // of stage 3, which has no dropout
      Architecture::gpt2};
  return stage;
}

}  // namespace ladder::testing
