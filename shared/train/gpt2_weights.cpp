#include "shared/train/gpt2_weights.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"
#include "shared/model/parameters.hpp"

namespace ladder {
namespace {

constexpr std::string_view kPrefix = "transformer.";
constexpr int kUsualHead = 64;

// ---- names ---------------------------------------------------------------------------------------------------

/// Without what programs put in front: "h.0.attn.c_attn.weight", "wte.weight".
std::string_view bare(std::string_view name) {
  for (const std::string_view prefix : {std::string_view("_orig_mod."), kPrefix})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return name;
}

/// The layer of "h.12.attn.bias" and what follows its number: {12, "attn.bias"}.
struct InLayer {
  int layer;
  std::string_view rest;
};

std::optional<InLayer> in_layer(std::string_view name) {
  if (!name.starts_with("h.")) return std::nullopt;
  int layer = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + 2, end, layer);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '.' || layer < 0) return std::nullopt;
  return InLayer{layer, {parsed.ptr + 1, end}};
}

/// A mask of the attention: which positions see which. It is no parameter.
bool is_mask(std::string_view name) {
  const auto place = in_layer(name);
  return place && (place->rest == "attn.bias" || place->rest == "attn.masked_bias");
}

/// A file's tensors by their bare names, without masks.
class Names {
 public:
  explicit Names(const SafetensorsFile& file) : file_(file) {
    for (const TensorView& tensor : file.tensors()) {
      const std::string_view name = bare(tensor.name);
      if (is_mask(name)) continue;
      const auto [found, is_new] = by_name_.emplace(name, &tensor);
      require(is_new, "{}: tensors '{}' and '{}' are the same parameter", file.name(),
              shown(found->second->name), shown(tensor.name));
    }
  }

  const TensorView* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  const TensorView& at(std::string_view name) const {
    const TensorView* tensor = find(name);
    require(tensor != nullptr, "{}: tensor '{}' is missing", file_.name(), shown(as_written(name)));
    return *tensor;
  }
  const TensorView& matrix(std::string_view name) const {
    const TensorView& tensor = at(name);
    require(tensor.shape.size() == 2 && !tensor.bytes.empty(),
            "{}: tensor '{}' has the shape [{}]: a matrix is expected", file_.name(), tensor.name,
            extents_of(tensor.shape));
    return tensor;
  }
  const std::map<std::string_view, const TensorView*>& all() const { return by_name_; }

 private:
  /// As the file would write it: with what stands before the name of an embedding or the last norm.
  std::string as_written(std::string_view name) const {
    for (const char* other : {"wte.weight", "wpe.weight", "ln_f.weight"})
      if (const TensorView* tensor = find(other)) {
        const std::string_view like = tensor->name;
        return std::string(like.substr(0, like.size() - bare(like).size())) + std::string(name);
      }
    return std::string(name);
  }

  const SafetensorsFile& file_;
  std::map<std::string_view, const TensorView*> by_name_;
};

// ---- sizes ---------------------------------------------------------------------------------------------------

/// Layers as the names count them. A number above that of all tensors is none: a layer has more than one.
int layers_of(const Names& names) {
  int layers = 0;
  for (const auto& [name, tensor] : names.all())
    if (const auto place = in_layer(name); place && place->layer < static_cast<int>(names.all().size()))
      layers = std::max(layers, place->layer + 1);
  return layers;
}

/// Conv1D's [in, out] and not [out, in].
bool is_transposed(const Names& names) {
  const std::vector<int>& shape = names.matrix("h.0.attn.c_attn.weight").shape;
  return shape[0] < shape[1];
}

/// What the tensors say.
Gpt2Settings seen_in(const Names& names) {
  Gpt2Settings seen;
  const std::vector<int>& wte = names.matrix("wte.weight").shape;
  seen.vocab_size = wte[0];
  seen.n_embd = wte[1];
  seen.block_size = names.matrix("wpe.weight").shape[0];
  seen.n_layer = layers_of(names);
  seen.bias = names.find("ln_f.bias") != nullptr || names.find("h.0.attn.c_attn.bias") != nullptr;
  return seen;
}

/// Throws naming the file beside the weights, and its member, where that says what the tensors are not. A flag goes
/// before it: what was given is none of its faults.
void require_fits(const Names& names, const std::string& file, const Gpt2Settings& given,
                  const Gpt2Settings& beside) {
  const Gpt2Settings seen = seen_in(names);
  const auto same = [&](const char* member, auto setting, const std::string& is) {
    if (given.*setting || !(beside.*setting)) return;
    require(beside.*setting == seen.*setting, "{}: '{}' is {}: {}", beside.source, member,
            (beside.*setting).value(), is);
  };
  const auto shape = [&](const char* name) {
    const TensorView& tensor = names.at(name);
    return fmt::format("tensor '{}' of {} has the shape [{}]", tensor.name, file, extents_of(tensor.shape));
  };
  same("vocab_size", &Gpt2Settings::vocab_size, shape("wte.weight"));
  same("n_embd", &Gpt2Settings::n_embd, shape("wte.weight"));
  same("n_positions", &Gpt2Settings::block_size, shape("wpe.weight"));
  same("n_layer", &Gpt2Settings::n_layer, fmt::format("the tensors of {} are of {}", file, *seen.n_layer));
  same("bias", &Gpt2Settings::bias, fmt::format("{} holds {}", file, *seen.bias ? "biases" : "no biases"));
  const int width = given.n_embd.value_or(*seen.n_embd);
  if (beside.n_head && !given.n_head)
    require(width % *beside.n_head == 0, "{}: 'n_head' is {}: it does not divide the width {} of {}",
            beside.source, *beside.n_head, width, file);
}

int usual_heads(int width, const std::string& file) {
  require(width % kUsualHead == 0,
          "{}: no config.json beside it says how many attention heads it has, and width {} is not made of "
          "heads of {}: add --n-head",
          file, width, kUsualHead);
  return width / kUsualHead;
}

/// Before lists of parameters are made, which are as long as there are layers.
void require_layers(const Names& names, const std::string& file, int layers) {
  const int seen = layers_of(names);
  require(layers <= seen, "{}: {} layers are asked for: its tensors are of {}", file, layers, seen);
}

/// Fills in what neither a file nor a flag has said.
void assume(const Names& names, const std::string& file, Gpt2Settings& settings,
            std::vector<std::string>& assumed) {
  if (!settings.n_head) {
    settings.n_head = usual_heads(*settings.n_embd, file);
    assumed.push_back(fmt::format("{} heads of {} are assumed (--n-head)", *settings.n_head, kUsualHead));
  }
  if (!settings.gelu) {
    const bool transposed = is_transposed(names);
    settings.gelu = transposed ? Gelu::tanh : Gelu::erf;
    assumed.push_back(fmt::format("GELU by {}, as {} computes it, is assumed (--gelu)",
                                  name_of(*settings.gelu), transposed ? "GPT-2" : "nanoGPT"));
  }
}

GptConfig config_of(const Gpt2Settings& settings) {
  GptConfig config;
  config.architecture = Architecture::gpt2;
  config.vocab_size = *settings.vocab_size;
  config.n_layer = *settings.n_layer;
  config.n_embd = *settings.n_embd;
  config.n_head = *settings.n_head;
  config.block_size = *settings.block_size;
  config.bias = *settings.bias;
  config.gelu = *settings.gelu;
  return config;
}

// ---- values --------------------------------------------------------------------------------------------------

/// Rows of `from` [rows, columns] become columns of `to`; in blocks, so that both stay in the cache.
template <std::size_t Bytes>
void transpose(const std::byte* from, std::size_t rows, std::size_t columns, std::byte* to) {
  constexpr std::size_t kBlock = 32;
  for (std::size_t r0 = 0; r0 < rows; r0 += kBlock)
    for (std::size_t c0 = 0; c0 < columns; c0 += kBlock)
      for (std::size_t r = r0; r < std::min(rows, r0 + kBlock); ++r)
        for (std::size_t c = c0; c < std::min(columns, c0 + kBlock); ++c)
          std::memcpy(to + (c * rows + r) * Bytes, from + (r * columns + c) * Bytes, Bytes);
}

NamedTensor transposed(const TensorView& view, Dtype dtype) {
  const auto rows = static_cast<std::size_t>(view.shape[0]),
             columns = static_cast<std::size_t>(view.shape[1]);
  NamedTensor tensor(view.name, {view.shape[1], view.shape[0]}, dtype);
  switch (size_of(dtype)) {
    case 2:
      transpose<2>(view.bytes.data(), rows, columns, tensor.bytes().data());
      break;
    case 4:
      transpose<4>(view.bytes.data(), rows, columns, tensor.bytes().data());
      break;
    default:
      transpose<8>(view.bytes.data(), rows, columns, tensor.bytes().data());
  }
  return tensor;
}

NamedTensor read_parameter(const SafetensorsFile& file, const TensorView& view, const ParameterSpec& spec,
                           bool turned) {
  std::vector<int> stored = spec.shape;
  if (turned) std::ranges::reverse(stored);
  require(view.shape == stored, "{}: tensor '{}' has the shape [{}]: this model needs [{}]", file.name(),
          view.name, extents_of(view.shape), extents_of(stored));
  NamedTensor tensor = turned ? transposed(view, file.finite_dtype_of(view)) : file.copy(view);
  tensor.name = spec.name;
  return tensor;
}

/// Throws where there is a head of other values than the embedding has.
void require_tied(const SafetensorsFile& file, const Names& names, bool said_tied) {
  const TensorView* head = names.find("lm_head.weight");
  require(head != nullptr || said_tied,
          "{}: 'tie_word_embeddings' in config.json is false, but tensor 'lm_head.weight' is missing",
          file.name());
  if (head == nullptr) return;
  const TensorView& wte = names.at("wte.weight");
  bool same = head->shape == wte.shape;
  if (same && head->stored == wte.stored) {
    same = std::ranges::equal(head->bytes, wte.bytes);
  } else if (same) {
    const Dtype head_type = file.dtype_of(*head), wte_type = file.dtype_of(wte);
    for (std::size_t i = 0; same && i < element_count(wte.shape); ++i)
      same = decode(head_type, head->bytes.data(), i) == decode(wte_type, wte.bytes.data(), i);
  }
  require(same, "{}: tensor '{}' is not '{}': a GPT-2 whose head is not tied to its embedding cannot be read",
          file.name(), head->name, wte.name);
}

std::size_t bytes_of(const Names& names) {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : names.all()) bytes += tensor->bytes.size();
  return bytes;
}

TensorList read_parameters(const SafetensorsFile& file, const Names& names, const GptConfig& model) {
  const bool turned = is_transposed(names);
  TensorList parameters;
  std::map<std::string_view, const TensorView*> left = names.all();
  for (const ParameterSpec& spec : parameter_specs(model)) {
    const std::string_view name = std::string_view(spec.name).substr(kPrefix.size());
    const bool in_a_layer = name.starts_with("h.");
    parameters.push_back(
        read_parameter(file, names.at(name), spec, turned && in_a_layer && spec.shape.size() == 2));
    left.erase(name);
  }
  left.erase("lm_head.weight");
  require(left.empty(), "{}: tensor '{}' is no parameter of this GPT-2 ({} layers, {} biases)", file.name(),
          shown(left.empty() ? "" : left.begin()->second->name), model.n_layer,
          model.bias ? "with" : "without");
  return parameters;
}

}  // namespace

bool has_gpt2_names(const SafetensorsFile& file) {
  return std::ranges::any_of(file.tensors(), [](const TensorView& tensor) {
    const std::string_view name = bare(tensor.name);
    return name == "wte.weight" || name == "wpe.weight" || name == "h.0.attn.c_attn.weight";
  });
}

Gpt2Weights read_gpt2_weights(const SafetensorsFile& file, const Gpt2Settings& given,
                              const Gpt2Settings& beside, const AcceptModel& accept) {
  const Names names(file);
  require_fits(names, file.name(), given, beside);
  Gpt2Settings settings = over(over(given, beside), seen_in(names));
  Gpt2Weights weights;
  assume(names, file.name(), settings, weights.assumed);
  require_layers(names, file.name(), *settings.n_layer);
  weights.model = config_of(settings);
  naming_source(file.name(), [&] { validate(weights.model); });
  if (accept) accept(weights.model);
  require_memory(bytes_of(names), file.name());
  require_tied(file, names, settings.tied.value_or(true));
  weights.parameters = read_parameters(file, names, weights.model);
  return weights;
}

}  // namespace ladder
