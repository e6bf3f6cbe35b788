// The half that knows nothing of devices: what fits, how it is padded, what a launch reads.
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "shared/base/checked_size.hpp"
#include "stage3_tiled_kernels/one_launch/layout.hpp"

namespace ladder {
namespace {

constexpr std::array kWidths = {16, 32, 64};
constexpr int kBlock = 16, kVocabulary = 32;

/// Where a parameter begins in the padded model, and the length of its padded rows.
struct PaddedPlace {
  std::size_t offset, stride;
};

/// Of every parameter, by its name.
std::map<std::string, PaddedPlace> places(const GptConfig& config) {
  return with_tiles(config, [&]<int T, int C, int V>() {
    using At = Padded<T, C, V>;
    using Layer = PaddedLayer<C>;
    std::map<std::string, PaddedPlace> all = {
        {"wte", {At::kWte, C}}, {"wpe", {At::kWpe, C}}, {"lm_head", {At::kLmHead, C}}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(config.n_layer); ++i) {
      const std::string layer = fmt::format("layer{}.", i);
      const std::size_t first = At::kLayers + i * Layer::kSize;
      all[layer + "attn_wq"] = {first + Layer::kQ, C};
      all[layer + "attn_wk"] = {first + Layer::kK, C};
      all[layer + "attn_wv"] = {first + Layer::kV, C};
      all[layer + "attn_wo"] = {first + Layer::kO, C};
      all[layer + "mlp_fc1"] = {first + Layer::kFc1, C};
      all[layer + "mlp_fc2"] = {first + Layer::kFc2, 4 * C};
    }
    return all;
  });
}

/// Calls body(element of the padded model, number of the tensor, element of the tensor) for every parameter.
template <class Body>
void for_each_parameter(const GptConfig& config, Body&& body) {
  const ParameterSpecs specs = parameter_specs(config);
  const std::map<std::string, PaddedPlace> all = places(config);
  for (std::size_t k = 0; k < specs.size(); ++k) {
    const auto place = all.find(specs[k].name);
    require(place != all.end(), "the padded model has no place for parameter '{}'", specs[k].name);
    const auto [offset, stride] = place->second;
    const auto columns = static_cast<std::size_t>(specs[k].shape[1]);
    for (std::size_t i = 0; i < specs[k].size(); ++i) body(offset + i / columns * stride + i % columns, k, i);
  }
}

}  // namespace

TileSizes tile_sizes(const GptConfig& config, const char* flag) {
  const auto width = std::find_if(kWidths.begin(), kWidths.end(), [&](int w) { return w >= config.n_embd; });
  require(width != kWidths.end(), "{}: a width of {}: the kernel's tiles hold up to {}", flag, config.n_embd,
          kWidths.back());
  require(config.block_size <= kBlock, "{}: {} positions: the kernel's tiles hold up to {}", flag,
          config.block_size, kBlock);
  require(config.vocab_size <= kVocabulary, "{}: a vocabulary of {}: the kernel's tiles hold up to {}", flag,
          config.vocab_size, kVocabulary);
  return {kBlock, *width, kVocabulary};
}

void require_one_launch(const GptConfig& config, Dtype dtype, std::int64_t sequences) {
  require(dtype == Dtype::fp32 || dtype == Dtype::fp64, "--one-launch computes in fp32 or fp64, not in {}",
          name_of(dtype));
  require(sequences == 1,
          "--one-launch trains on one sequence a step: leave out --batch-size and --grad-accum");
  tile_sizes(config);
}

std::size_t layer_inputs(const GptConfig& config) {
  const TileSizes tiles = tile_sizes(config);
  return checked_product({static_cast<std::size_t>(config.n_layer), static_cast<std::size_t>(tiles.block),
                          static_cast<std::size_t>(tiles.width)},
                         "the layers' inputs");
}

std::size_t padded_count(const GptConfig& config) {
  constexpr const char* kWhat = "the padded model";
  return with_tiles(config, [&]<int T, int C, int V>() {
    return checked_sum(
        {Padded<T, C, V>::kLayers,
         checked_product({static_cast<std::size_t>(config.n_layer), PaddedLayer<C>::kSize}, kWhat)},
        kWhat);
  });
}

std::vector<double> pad(const GptConfig& config, const TensorList& tensors) {
  std::vector<double> padded(padded_count(config), 0.0);
  for_each_parameter(config,
                     [&](std::size_t to, std::size_t k, std::size_t i) { padded[to] = tensors[k][i]; });
  return padded;
}

TensorList unpad(const GptConfig& config, const std::vector<double>& padded, Dtype dtype) {
  TensorList tensors = zeros_of(parameter_specs(config), dtype);
  for_each_parameter(
      config, [&](std::size_t from, std::size_t k, std::size_t i) { tensors[k].set(i, padded[from]); });
  return tensors;
}

std::array<double, 8> rates_of(const StepConstants& adam) {
  require(adam.clip == 0.0, "this variant does not clip gradients");
  // 1 - beta in double: in fp32, 1 - 0.99f has lost five of its digits
  return {adam.learning_rate,
          adam.eps,
          adam.beta1,
          1.0 - adam.beta1,
          adam.beta2,
          1.0 - adam.beta2,
          1.0 / adam.correction1,
          1.0 / adam.correction2};
}

StepDocuments documents_of(const GptConfig& config, std::span<const Batch> micro_batches) {
  const auto block = static_cast<std::size_t>(tile_sizes(config).block);
  StepDocuments documents;
  const auto require_known = [&](std::int32_t token, const char* what) {
    require(token >= 0 && token < config.vocab_size, "{} {} of document {} is not in the vocabulary of {}",
            what, token, documents.count, config.vocab_size);
  };
  for (const Batch& batch : micro_batches)
    for (std::size_t b = 0; b < batch.lengths_b.size(); ++b, ++documents.count) {
      const std::size_t end = documents.tokens_bt.size() + block;
      require(batch.lengths_b[b] <= config.block_size, "a sequence of {} tokens: the block size is {}",
              batch.lengths_b[b], config.block_size);
      for (std::int32_t t = 0; t < batch.lengths_b[b]; ++t) {
        const std::size_t row = static_cast<std::size_t>(batch.starts_b[b]) + static_cast<std::size_t>(t);
        require_known(batch.tokens_n.at(row), "token");
        require_known(batch.targets_n.at(row), "target");
        documents.tokens_bt.push_back(batch.tokens_n[row]);
        documents.targets_bt.push_back(batch.targets_n[row]);
      }
      documents.tokens_bt.resize(end, -1);
      documents.targets_bt.resize(end, -1);
    }
  require(documents.count > 0, "a step needs at least one document");
  return documents;
}

StepData step_data(const GptConfig& config, std::span<const StepInput> steps) {
  StepData data;
  for (const StepInput& step : steps) {
    const StepDocuments documents = documents_of(config, step.micro_batches);
    require(documents.count == 1, "--one-launch trains on one sequence a step, not on {}", documents.count);
    data.tokens_st.insert(data.tokens_st.end(), documents.tokens_bt.begin(), documents.tokens_bt.end());
    data.targets_st.insert(data.targets_st.end(), documents.targets_bt.begin(), documents.targets_bt.end());
    const auto rates = rates_of(step.adam);
    data.rates_s.insert(data.rates_s.end(), rates.begin(), rates.end());
    ++data.count;
  }
  return data;
}

std::unique_ptr<OneLaunch> make_one_launch(const GptConfig& config, const CudaOptions& options) {
  require_one_launch(config, options.dtype, 1);
  return runs_on_gpu(options.device) ? on_gpu::stage3::make_one_launch(config, options)
                                     : on_cpu::stage3::make_one_launch(config, options);
}

}  // namespace ladder
