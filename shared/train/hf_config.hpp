// config.json: what Hugging Face's libraries, and this project's export script, write beside GPT-2's weights.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "shared/model/config.hpp"

namespace ladder {

/// What is known of a GPT-2 besides its tensors, from flags or from a file; what is not known is empty.
struct Gpt2Settings {
  std::optional<int> n_layer, n_head, n_embd, block_size, vocab_size;
  std::optional<bool> bias;
  std::optional<Gelu> gelu;
  std::optional<bool> tied;  ///< the head is the embedding; no flag says so
  std::string source = {};   ///< the file that said this; empty for flags

  bool operator==(const Gpt2Settings&) const = default;
};

/// Throws where a model cannot be used, which is better known before gigabytes are read.
using AcceptModel = std::function<void(const GptConfig& model)>;

/// What `first` knows, and of the rest what `second` does.
Gpt2Settings over(const Gpt2Settings& first, const Gpt2Settings& second);

/// Reads n_layer, n_head, n_embd, n_positions (or n_ctx), vocab_size, activation_function (gelu_new is tanh, gelu is
/// erf), tie_word_embeddings, and "bias", which nanoGPT's models have besides. Throws InputError naming the file and the
/// member that is of another kind, or that asks for what the model text does not compute: another model, another GELU,
/// another epsilon than 1e-5, an inner width other than 4 n_embd, attention scaled otherwise than by 1/sqrt(head size).
Gpt2Settings read_hf_config(const std::filesystem::path& path);

}  // namespace ladder
