#include "shared/train/hf_config.hpp"

#include <string>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"

namespace ladder {
namespace {

/// Member `name`; empty where it is missing or null.
template <class T>
std::optional<T> known(const Json& json, const char* name, const std::string& file) {
  const Json* found = json.find(name);
  if (found == nullptr || found->is_null()) return std::nullopt;
  return member_of<T>(json, name, file);
}

std::optional<int> size_of_member(const Json& json, const char* name, const std::string& file) {
  const Json* found = json.find(name);
  if (found == nullptr || found->is_null()) return std::nullopt;
  try {
    if (const int size = found->get<int>(); size >= 1) return size;
  } catch (const JsonError&) {  // said below
  }
  throw InputError(fmt::format("{}: '{}' is {}: it must be a whole number, 1 or more, of at most 2147483647",
                               file, name, shown(found->dump())));
}

/// json_object() that says what is wrong with NaN and Infinity, which Python writes and JSON does not have.
Json object_in(const std::string& text, const std::string& file) {
  try {
    return json_object(text, file);
  } catch (const InputError&) {
    for (const char* word : {"NaN", "Infinity"})
      require(text.find(word) == std::string::npos, "{}: is not JSON, which has no {}: write a number", file,
              word);
    throw;
  }
}

std::optional<Gelu> gelu_of(const Json& json, const std::string& file) {
  const auto name = known<std::string>(json, "activation_function", file);
  if (!name) return std::nullopt;
  if (*name == "gelu_new" || *name == "gelu_pytorch_tanh") return Gelu::tanh;
  if (*name == "gelu") return Gelu::erf;
  throw InputError(fmt::format("{}: 'activation_function' is '{}': valid are gelu_new (tanh), gelu (erf)",
                               file, shown(*name)));
}

/// Settings that the model text does not have: they must say what it does anyway.
void require_plain(const Json& json, const Gpt2Settings& settings, const std::string& file) {
  const std::string type = known<std::string>(json, "model_type", file).value_or("gpt2");
  require(type == "gpt2", "{}: 'model_type' is '{}': this program reads gpt2", file, shown(type));
  const double epsilon = known<double>(json, "layer_norm_epsilon", file).value_or(1e-5);
  require(epsilon == 1e-5, "{}: 'layer_norm_epsilon' is {}: this program computes with 1e-05", file, epsilon);
  const auto inner = known<int>(json, "n_inner", file);
  require(!inner || (settings.n_embd && *inner == 4LL * *settings.n_embd),
          "{}: 'n_inner' is {}: this program computes with 4 n_embd", file, inner.value_or(0));
  const auto must_be = [&](const char* name, bool wanted) {
    const bool is = known<bool>(json, name, file).value_or(wanted);
    require(is == wanted, "{}: '{}' is {}: this program computes with {}", file, name, is, wanted);
  };
  must_be("scale_attn_weights", true);
  must_be("scale_attn_by_inverse_layer_idx", false);
  must_be("add_cross_attention", false);
}

}  // namespace

Gpt2Settings over(const Gpt2Settings& first, const Gpt2Settings& second) {
  const auto either = [](const auto& a, const auto& b) { return a ? a : b; };
  return {either(first.n_layer, second.n_layer),
          either(first.n_head, second.n_head),
          either(first.n_embd, second.n_embd),
          either(first.block_size, second.block_size),
          either(first.vocab_size, second.vocab_size),
          either(first.bias, second.bias),
          either(first.gelu, second.gelu),
          either(first.tied, second.tied),
          first.source.empty() ? second.source : first.source};
}

Gpt2Settings read_hf_config(const std::filesystem::path& path) {
  const std::string file = path.string();
  const Json json = object_in(read_file(path), file);
  Gpt2Settings settings;
  settings.source = file;
  settings.n_layer = size_of_member(json, "n_layer", file);
  settings.n_head = size_of_member(json, "n_head", file);
  settings.n_embd = size_of_member(json, "n_embd", file);
  settings.block_size = size_of_member(json, "n_positions", file);
  if (!settings.block_size) settings.block_size = size_of_member(json, "n_ctx", file);
  settings.vocab_size = size_of_member(json, "vocab_size", file);
  settings.bias = known<bool>(json, "bias", file);
  settings.gelu = gelu_of(json, file);
  settings.tied = known<bool>(json, "tie_word_embeddings", file);
  require_plain(json, settings, file);
  return settings;
}

}  // namespace ladder
