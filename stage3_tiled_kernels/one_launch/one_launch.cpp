// The half that knows nothing of devices: what fits, how it is padded, what a launch reads.
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

#include <algorithm>
#include <array>

#include "shared/base/checked_size.hpp"

namespace ladder {
namespace {

constexpr std::array kWidths = {16, 32, 64};
constexpr int kBlock = 16, kVocabulary = 32;

/// Where a tensor of parameter_specs() begins in the padded model, and the length of its padded rows.
struct Place {
  std::size_t offset, stride;
};

/// In the order of parameter_specs(), as memory.hpp's Padded and PaddedLayer lay them out.
std::vector<Place> places(const GptConfig& config) {
  const TileSizes tiles = tile_sizes(config);
  const auto T = static_cast<std::size_t>(tiles.block), C = static_cast<std::size_t>(tiles.width),
             V = static_cast<std::size_t>(tiles.vocabulary);
  std::vector<Place> all;
  std::size_t offset = 0;
  const auto next = [&](std::size_t rows, std::size_t columns) {
    all.push_back({offset, columns});
    offset += rows * columns;
  };
  next(V, C), next(T, C), next(V, C);
  for (int i = 0; i < config.n_layer; ++i) {
    for (int square = 0; square < 4; ++square) next(C, C);
    next(4 * C, C), next(C, 4 * C);
  }
  return all;
}

/// Calls body(element of the padded model, number of the tensor, element of the tensor) for every parameter.
template <class Body>
void for_each_parameter(const GptConfig& config, Body&& body) {
  const std::vector<ParameterSpec> specs = parameter_specs(config);
  const std::vector<Place> all = places(config);
  for (std::size_t k = 0; k < specs.size(); ++k) {
    const auto columns = static_cast<std::size_t>(specs[k].shape[1]);
    for (std::size_t i = 0; i < specs[k].size(); ++i)
      body(all[k].offset + i / columns * all[k].stride + i % columns, k, i);
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
  const TileSizes tiles = tile_sizes(config);
  const auto width = static_cast<std::size_t>(tiles.width);
  const std::size_t rows =
      2 * static_cast<std::size_t>(tiles.vocabulary) + static_cast<std::size_t>(tiles.block);
  constexpr const char* kWhat = "the padded model";
  return checked_sum(
      {rows * width, checked_product({static_cast<std::size_t>(config.n_layer), 12, width, width}, kWhat)},
      kWhat);
}

std::vector<double> pad(const GptConfig& config, const TensorList& tensors) {
  std::vector<double> padded(padded_count(config), 0.0);
  for_each_parameter(config,
                     [&](std::size_t to, std::size_t k, std::size_t i) { padded[to] = tensors[k][i]; });
  return padded;
}

TensorList unpad(const GptConfig& config, const std::vector<double>& padded) {
  TensorList tensors = zeros_of(parameter_specs(config));
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
