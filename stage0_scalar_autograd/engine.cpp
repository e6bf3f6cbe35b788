#include "stage0_scalar_autograd/engine.hpp"

#include <algorithm>
#include <numeric>

#include "shared/base/interrupt.hpp"
#include "stage0_scalar_autograd/fast_adam.hpp"
#include "stage0_scalar_autograd/model.hpp"

namespace ladder::stage0 {
namespace {

/// The parameters become the first slots of the tape, in the order of parameter_specs().
Weights place_weights(Tape& tape, const GptConfig& config) {
  const ParameterSpecs specs = parameter_specs(config);
  std::vector<Matrix> all;
  for (const ParameterSpec& spec : specs) {
    const Span span{tape.size(), static_cast<std::uint32_t>(spec.size()), false};
    for (std::size_t i = 0; i < spec.size(); ++i) tape.leaf(0.0);
    all.push_back({Row(tape, span), static_cast<std::uint32_t>(spec.shape[0]),
                   static_cast<std::uint32_t>(spec.shape[1])});
  }
  tape.keep();
  const ParameterIndex index(specs);
  const auto matrix = [&](const std::string& name) { return all[index.position(name)]; };
  Weights weights{matrix("wte"), matrix("wpe"), matrix("lm_head"), {}};
  for (int i = 0; i < config.n_layer; ++i) {
    const std::string layer = fmt::format("layer{}.", i);
    weights.layers.push_back({matrix(layer + "attn_wq"), matrix(layer + "attn_wk"), matrix(layer + "attn_wv"),
                              matrix(layer + "attn_wo"), matrix(layer + "mlp_fc1"),
                              matrix(layer + "mlp_fc2")});
  }
  return weights;
}

/// The parameters on a tape of their own.
struct Model {
  GptConfig config;
  Tape tape;
  Weights weights;

  Model(const GptConfig& shape, Sums sums)
      : config(shape), tape(sums), weights(place_weights(tape, config)) {}

  void check_token(int token, const char* what) const {
    require(token >= 0 && token < config.vocab_size, "{} {} is not in the vocabulary: valid are 0 to {}",
            what, token, config.vocab_size - 1);
  }
  template <class Tap>
  Row forward(int token, int position, Cache& cache, Tap&& tap) {
    check_token(token, "token");
    require(position < config.block_size, "more than block_size = {} tokens", config.block_size);
    return gpt(weights, config.n_head, token, position, cache, tap);
  }
};

std::vector<double> data_of(const Row& row) {
  std::vector<double> data(row.size());
  for (std::uint32_t i = 0; i < row.size(); ++i) data[i] = row[i].data();
  return data;
}

/// One activation of a probe, row under row.
struct Collected {
  std::string name;
  int width;
  std::vector<double> values;
};

/// Collects the activations of a probe by name into `out`; passed around by value.
class Taps {
 public:
  Taps(std::vector<Collected>& out, const GptConfig& config) : out_(out) {
    add_tensor("embed", config.n_embd);
    for (int i = 0; i < config.n_layer; ++i)
      for (const char* part : {"attn", "mlp"}) add_tensor(fmt::format("layer{}.{}", i, part), config.n_embd);
    add_tensor("logits", config.vocab_size);
  }
  void operator()(std::string_view part, std::size_t layer, const Row& row) {
    append(part == "embed" ? 0 : 1 + 2 * layer + (part == "mlp" ? 1 : 0), row);
  }
  void logits(const Row& row) { append(out_.size() - 1, row); }

 private:
  void add_tensor(std::string name, int width) { out_.push_back({std::move(name), width, {}}); }
  void append(std::size_t index, const Row& row) {
    const std::vector<double> data = data_of(row);
    out_[index].values.insert(out_[index].values.end(), data.begin(), data.end());
  }
  std::vector<Collected>& out_;
};

struct NoTaps {
  void operator()(std::string_view, std::size_t, const Row&) const {}
  void logits(const Row&) const {}
};

class ScalarEngine final : public Engine {
 public:
  ScalarEngine(const GptConfig& config, Sums sums)
      : model_(config, sums), tape_(model_.tape), m_(tape_.size()), v_(tape_.size()) {}

  const GptConfig& config() const override { return model_.config; }
  Dtype dtype() const override { return Dtype::fp64; }

  void load_parameters(const TensorList& parameters) override { scatter(parameters, tape_.kept_data()); }
  TensorList parameters() const override { return gather(tape_.kept_data()); }
  void load_moments(const Moments& moments) override {
    scatter(moments.m, m_);
    scatter(moments.v, v_);
  }
  Moments moments() const override { return {gather(m_), gather(v_)}; }

  double train_step(std::span<const Batch> micro_batches, const StepConstants& adam) override {
    const double total = accumulate(micro_batches, NoTaps{});
    clip(adam.clip);
    const auto update = tape_.sums() == Sums::fused ? fast_adam_update : adam_update;
    update(adam, tape_.kept_data(), tape_.kept_grad(), m_, v_);
    return total;
  }

  double loss(const Batch& batch) override;
  Probe probe(const Batch& batch) override;
  std::vector<double> logits(std::span<const std::int32_t> tokens) override;
  std::unique_ptr<Decoder> decoder() override;

 private:
  /// Scales the gradients down to a norm of at most `largest`; 0: leaves them alone.
  void clip(double largest);
  void scatter(const TensorList& tensors, std::span<double> to) const;
  TensorList gather(std::span<const double> from) const;
  template <class Taps>
  Value document_loss(const Batch& batch, std::size_t b, Taps&& taps);
  template <class Taps>
  double accumulate(std::span<const Batch> micro_batches, Taps&& taps);

  Model model_;
  Tape& tape_;  ///< the model's
  std::vector<double> m_, v_;
};

void ScalarEngine::clip(double largest) {
  if (largest == 0.0) return;
  const std::span<double> grad = tape_.kept_grad();
  const double squares = std::inner_product(grad.begin(), grad.end(), grad.begin(), 0.0);
  const double factor = clip_factor(largest, squares);
  for (double& g : grad) g *= factor;
}

void ScalarEngine::scatter(const TensorList& tensors, std::span<double> to) const {
  require_parameters(tensors, parameter_specs(config()));
  auto out = to.begin();
  for (const NamedTensor& tensor : tensors) out = std::ranges::copy(tensor.values(), out).out;
}

TensorList ScalarEngine::gather(std::span<const double> from) const {
  TensorList tensors;
  for (const ParameterSpec& spec : parameter_specs(config())) {
    tensors.emplace_back(spec.name, spec.shape, from.first(spec.size()));
    from = from.subspan(spec.size());
  }
  return tensors;
}

/// Mean over the document's positions of -log p(target). It must have at least one.
template <class Taps>
Value ScalarEngine::document_loss(const Batch& batch, std::size_t b, Taps&& taps) {
  const int length = batch.lengths_b[b];
  Cache cache(config().n_layer);
  const Row losses = collect(tape_, static_cast<std::uint32_t>(length), [&](std::uint32_t t) {
    const std::size_t n = static_cast<std::size_t>(batch.starts_b[b]) + t;
    model_.check_token(batch.targets_n[n], "target");
    const Row row = model_.forward(batch.tokens_n[n], static_cast<int>(t), cache, taps);
    taps.logits(row);
    return cross_entropy(row, batch.targets_n[n]);
  });
  return sum(losses) * (1.0 / length);
}

/// Loss and gradients of the mean over all documents, one document on the tape at a time.
template <class Taps>
double ScalarEngine::accumulate(std::span<const Batch> micro_batches, Taps&& taps) {
  std::size_t documents = 0;
  for (const Batch& batch : micro_batches) documents += batch.lengths_b.size();
  std::ranges::fill(tape_.kept_grad(), 0.0);
  double total = 0.0;
  for (const Batch& batch : micro_batches) {
    for (std::size_t b = 0; b < batch.lengths_b.size(); ++b) {
      if (batch.lengths_b[b] == 0) continue;
      stop_if_interrupted();  // until the update nothing is changed that is saved
      tape_.rewind();
      // With one document the factor is 1, which changes no bit of the loss or of a gradient.
      const Value loss = document_loss(batch, b, taps) * (1.0 / static_cast<double>(documents));
      loss.backward();
      total += loss.data();
    }
  }
  return total;
}

double ScalarEngine::loss(const Batch& batch) {
  double total = 0.0;
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b) {
    if (batch.lengths_b[b] == 0) continue;
    tape_.rewind();
    total += document_loss(batch, b, NoTaps{}).data() * (1.0 / static_cast<double>(batch.lengths_b.size()));
  }
  return total;
}

Probe ScalarEngine::probe(const Batch& batch) {
  Probe result;
  std::vector<Collected> taps;
  result.loss = accumulate({&batch, 1}, Taps(taps, config()));
  for (const auto& [name, width, values] : taps)
    result.activations.emplace_back(name, std::vector<int>{static_cast<int>(values.size()) / width, width},
                                    values);
  result.gradients = gather(tape_.kept_grad());
  return result;
}

std::vector<double> ScalarEngine::logits(std::span<const std::int32_t> tokens) {
  tape_.rewind();
  Cache cache(config().n_layer);
  std::vector<double> all;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const std::vector<double> row = data_of(model_.forward(tokens[t], static_cast<int>(t), cache, NoTaps{}));
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

/// Works on a copy of the parameters, so that the engine's tape may be rewound while a text grows. The keys
/// and values of its positions are slots of its own tape, which block_size positions fill no further than one
/// training step fills the engine's.
class ScalarDecoder final : public Decoder {
 public:
  explicit ScalarDecoder(const Model& model)
      : model_(model.config, model.tape.sums()), cache_(model.config.n_layer) {
    std::ranges::copy(model.tape.kept_data(), model_.tape.kept_data().begin());
  }
  std::vector<double> next(std::span<const std::int32_t> tokens) override {
    require(!tokens.empty(), "a decoder needs at least one token at a time");
    for (const std::int32_t token : tokens.first(tokens.size() - 1))
      model_.forward(token, position_++, cache_, NoTaps{});
    return data_of(model_.forward(tokens.back(), position_++, cache_, NoTaps{}));
  }

 private:
  Model model_;
  Cache cache_;
  int position_ = 0;
};

std::unique_ptr<Decoder> ScalarEngine::decoder() { return std::make_unique<ScalarDecoder>(model_); }

}  // namespace

std::unique_ptr<Engine> make_engine(const GptConfig& config, Sums sums) {
  require(config.kv_heads() == config.n_head,
          "stage 0 has no grouped-query attention: use --n-kv-head {} or a stage from 1 on", config.n_head);
  return std::make_unique<ScalarEngine>(config, sums);
}

}  // namespace ladder::stage0
