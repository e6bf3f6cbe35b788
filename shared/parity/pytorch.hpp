// PyTorch as the other side: shared/parity/gpt2_pytorch.py, run by this machine's python3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shared/model/config.hpp"

namespace ladder {

/// The text of gpt2_pytorch.py, compiled into the program.
extern const std::string_view pytorch_script;

struct PytorchAnswer {
  std::string version;               ///< "PyTorch 2.11.0, transformers 5.0.0"
  std::vector<double> logits;        ///< of every token, in fp64, row-major [tokens, V]
  std::vector<std::int32_t> greedy;  ///< the prompt and what follows it
};

/// Throws MachineError unless python3 finds torch, transformers and safetensors.
void require_pytorch();

/// The greedy continuation of `prompt` by `max_tokens`, and the logits of `tokens`, at most block_size of them.
/// `weights` is a safetensors file with the parameters of `model`, a GPT-2, in either naming. Throws MachineError with
/// what python3 said when it cannot.
PytorchAnswer ask_pytorch(const std::filesystem::path& weights, const GptConfig& model,
                          const std::vector<std::int32_t>& prompt, int max_tokens,
                          const std::vector<std::int32_t>& tokens);

}  // namespace ladder
