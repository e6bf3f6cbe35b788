#include "shared/train/ops_engine.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "shared/base/dtype_convert.hpp"
#include "shared/model/microgpt.hpp"

namespace ladder {
namespace {

/// Offset of the integers in a staging slot; the AdamStep of the first slot lies in front of them.
constexpr std::size_t kAdamBytes = 64;
static_assert(sizeof(AdamStep) <= kAdamBytes);

void require_tokens(std::span<const std::int32_t> tokens, int lowest, int vocabulary, const char* what) {
  const bool valid =
      std::all_of(tokens.begin(), tokens.end(), [=](int t) { return t >= lowest && t < vocabulary; });
  if (valid) return;
  for (std::size_t n = 0; n < tokens.size(); ++n)
    require(tokens[n] >= lowest && tokens[n] < vocabulary, "{} {} of row {} is not in the vocabulary of {}",
            what, tokens[n], n, vocabulary);
}

class OpsEngine final : public Engine {
 public:
  OpsEngine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch);

  const GptConfig& config() const override { return model_.config(); }
  Dtype dtype() const override { return ops_->dtype(); }
  Layout layout() const override { return ops_->layout(); }
  std::vector<std::string> kernels_launched() const override { return ops_->kernels_launched(); }
  bool emulated() const override { return ops_->emulated(); }

  void load_parameters(const TensorList& parameters) override;
  TensorList parameters() const override;
  void load_moments(const Moments& moments) override;
  Moments moments() const override;

  double train_step(std::span<const Batch> micro_batches, const AdamStep& adam) override;
  double loss(const Batch& batch) override;
  Probe probe(const Batch& batch) override { return probe_along(batch, {}); }
  Probe probe_along(const Batch& batch, const TensorList& hidden) override;
  std::vector<double> logits(std::span<const std::int32_t> tokens) override;

 private:
  void add_slot();
  void require_batch(const Batch& batch) const;
  /// Uploads the batch's integers into slot `slot`, the first one with the step's Adam settings if given.
  BatchView stage(const Batch& batch, std::size_t slot, const AdamStep* adam);
  StepKey key_of(std::span<const Batch> micro_batches) const;
  void run_micro_batches();
  double read_loss() const;
  NamedTensor read_rows(const std::string& name, Act source, const Batch& batch, int width) const;
  /// Makes the values positive or 0 where `other` [N', width] is.
  void take_branches(Act hidden, const Batch& batch, const NamedTensor& other);

  TensorList read_flat(void* source, Dtype dtype) const;
  void write_flat(const TensorList& tensors, void* destination, Dtype dtype);

  std::unique_ptr<Ops> ops_;
  int max_batch_;
  std::vector<ParameterSpec> specs_;
  MicroGpt model_;
  std::vector<std::byte> staging_;  ///< host copy of one slot
  std::vector<std::byte*> slots_;   ///< in the stage's memory
  std::vector<BatchView> views_;    ///< micro-batches of the step being run
  double scale_ = 1.0;
};

std::size_t slot_bytes(const GptConfig& config, int max_batch) {
  const auto batch = static_cast<std::size_t>(max_batch);
  const std::size_t rows = batch * static_cast<std::size_t>(config.block_size);
  return kAdamBytes + (3 * rows + 2 * batch) * sizeof(std::int32_t);
}

OpsEngine::OpsEngine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch)
    : ops_(std::move(ops)),
      max_batch_(max_batch),
      specs_(parameter_specs(config)),
      model_(config, *ops_, max_batch * config.block_size),
      staging_(slot_bytes(config, max_batch)) {
  add_slot();
}

void OpsEngine::add_slot() {
  slots_.push_back(static_cast<std::byte*>(ops_->allocate(staging_.size())));
  views_.reserve(slots_.size());
}

void OpsEngine::require_batch(const Batch& batch) const {
  require(batch.batch() <= max_batch_, "a micro-batch of {} sequences: this engine was made for up to {}",
          batch.batch(), max_batch_);
  require(batch.max_length <= config().block_size, "a sequence of {} tokens: the block size is {}",
          batch.max_length, config().block_size);
  require_tokens(batch.tokens_n, layout() == Layout::padded ? -1 : 0, config().vocab_size, "token");
  require_tokens(batch.targets_n, layout() == Layout::padded ? -1 : 0, config().vocab_size, "target");
  require(batch.rows() <= max_batch_ * config().block_size,
          "a micro-batch of {} rows: this engine has room for {}", batch.rows(),
          max_batch_ * config().block_size);
}

BatchView OpsEngine::stage(const Batch& batch, std::size_t slot, const AdamStep* adam) {
  if (adam != nullptr) std::memcpy(staging_.data(), adam, sizeof *adam);
  std::size_t offset = kAdamBytes;
  BatchView view{batch.batch(), batch.rows(), batch.max_length, nullptr,     nullptr,
                 nullptr,       nullptr,      nullptr,          batch.full()};
  const auto append = [&](const std::vector<std::int32_t>& values, const std::int32_t*& address) {
    const std::size_t bytes = values.size() * sizeof(std::int32_t);
    if (bytes > 0) std::memcpy(staging_.data() + offset, values.data(), bytes);
    address = reinterpret_cast<const std::int32_t*>(slots_[slot] + offset);
    offset += bytes;
  };
  append(batch.tokens_n, view.tokens_n);
  append(batch.targets_n, view.targets_n);
  append(batch.sequence_n, view.sequence_n);
  append(batch.starts_b, view.starts_b);
  append(batch.lengths_b, view.lengths_b);
  ops_->upload(slots_[slot], staging_.data(), offset);
  return view;
}

StepKey OpsEngine::key_of(std::span<const Batch> micro_batches) const {
  StepKey key{0, 0, 0, static_cast<int>(micro_batches.size()), true};
  for (const Batch& batch : micro_batches) {
    key.batch += batch.batch();
    key.rows += batch.rows();
    key.max_length = std::max(key.max_length, batch.max_length);
    key.full = key.full && batch.full() && batch.max_length == micro_batches.front().max_length;
    require(layout() == Layout::packed || batch.batch() == micro_batches.front().batch(),
            "micro-batches of {} and {} sequences in one step: this stage needs equally many in each",
            batch.batch(), micro_batches.front().batch());
  }
  return key;
}

void OpsEngine::run_micro_batches() {
  model_.begin_step();
  for (const BatchView& batch : views_) {
    model_.forward(batch);
    model_.loss(batch, scale_, true);
    model_.backward(batch);
  }
  model_.update(reinterpret_cast<const AdamStep*>(slots_.front()));
}

double OpsEngine::train_step(std::span<const Batch> micro_batches, const AdamStep& adam) {
  require(!micro_batches.empty(), "a step needs at least one micro-batch");
  const StepKey key = key_of(micro_batches);
  for (const Batch& batch : micro_batches) require_batch(batch);
  while (slots_.size() < micro_batches.size()) add_slot();
  views_.clear();
  for (std::size_t i = 0; i < micro_batches.size(); ++i) {
    views_.push_back(stage(micro_batches[i], i, i == 0 ? &adam : nullptr));
    views_.back().max_length = key.max_length;  // the same launches for every step of this key
    views_.back().full = key.full;
  }
  scale_ = 1.0 / std::max(key.batch, 1);
  ops_->run_step(key, [this] { run_micro_batches(); });
  return read_loss();
}

double OpsEngine::loss(const Batch& batch) {
  require_batch(batch);
  const BatchView view = stage(batch, 0, nullptr);
  model_.begin_step();
  model_.forward(view);
  model_.loss(view, 1.0 / std::max(view.batch, 1), false);
  return read_loss();
}

Probe OpsEngine::probe_along(const Batch& batch, const TensorList& hidden) {
  require_batch(batch);
  const BatchView view = stage(batch, 0, nullptr);
  const Activations& acts = model_.activations();
  const int width = config().n_embd;
  Probe probe;
  model_.begin_step();
  model_.forward(view);
  probe.activations.push_back(read_rows("embed", acts.embed_nc, batch, width));
  for (std::size_t i = 0; i < acts.layers.size(); ++i) {
    probe.activations.push_back(
        read_rows(fmt::format("layer{}.attn", i), acts.layers[i].attn_nc, batch, width));
    probe.activations.push_back(
        read_rows(fmt::format("layer{}.mlp", i), acts.layers[i].mlp_nc, batch, width));
    probe.hidden.push_back(
        read_rows(fmt::format("layer{}.hidden", i), acts.layers[i].hidden_nf, batch, 4 * width));
    if (i < hidden.size()) take_branches(acts.layers[i].hidden_nf, batch, hidden[i]);
  }
  probe.activations.push_back(read_rows("logits", acts.logits_nv, batch, config().vocab_size));
  model_.loss(view, 1.0 / std::max(view.batch, 1), true);  // overwrites the logits
  model_.backward(view);
  probe.loss = read_loss();
  probe.gradients = read_flat(model_.buffers().grad.data, model_.buffers().grad.dtype);
  return probe;
}

std::vector<double> OpsEngine::logits(std::span<const std::int32_t> tokens) {
  const Sequence sequence{{tokens.begin(), tokens.end()}, std::vector<std::int32_t>(tokens.size(), 0)};
  const Batch batch = make_batch(std::span(&sequence, 1), layout(), config().block_size);
  require_batch(batch);
  model_.forward(stage(batch, 0, nullptr));
  return read_rows("logits", model_.activations().logits_nv, batch, config().vocab_size).values;
}

double OpsEngine::read_loss() const {
  const Stat loss = model_.buffers().loss;
  std::uint64_t storage = 0;
  ops_->download(&storage, loss.data, size_of(loss.dtype));
  return decode(loss.dtype, &storage, 0);
}

NamedTensor OpsEngine::read_rows(const std::string& name, Act source, const Batch& batch, int width) const {
  const auto columns = static_cast<std::size_t>(width);
  std::vector<std::byte> raw(static_cast<std::size_t>(batch.rows()) * columns * size_of(source.dtype));
  ops_->download(raw.data(), source.data, raw.size());
  NamedTensor tensor{name, {0, width}, {}};
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b) {
    const std::size_t start = static_cast<std::size_t>(batch.starts_b[b]) * columns;
    const std::size_t count = static_cast<std::size_t>(batch.lengths_b[b]) * columns;
    for (std::size_t i = 0; i < count; ++i)
      tensor.values.push_back(decode(source.dtype, raw.data(), start + i));
    tensor.shape[0] += batch.lengths_b[b];
  }
  return tensor;
}

void OpsEngine::take_branches(Act hidden, const Batch& batch, const NamedTensor& other) {
  const auto columns = std::size_t{4} * static_cast<std::size_t>(config().n_embd);
  std::vector<std::byte> raw(static_cast<std::size_t>(batch.rows()) * columns * size_of(hidden.dtype));
  ops_->download(raw.data(), hidden.data, raw.size());
  std::size_t next = 0;
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b) {
    const std::size_t start = static_cast<std::size_t>(batch.starts_b[b]) * columns;
    const std::size_t count = static_cast<std::size_t>(batch.lengths_b[b]) * columns;
    require(next + count <= other.values.size(), "{}: {} values for a batch that needs more", other.name,
            other.values.size());
    for (std::size_t i = start; i < start + count; ++i, ++next) {
      const bool wanted = other.values[next] > 0.0, taken = decode(hidden.dtype, raw.data(), i) > 0.0;
      if (wanted == taken) continue;
      const double value = wanted ? other.values[next] : 0.0;  // next to nothing, or else `hidden` differs
      encode(hidden.dtype, std::span(&value, 1), raw.data() + i * size_of(hidden.dtype));
    }
  }
  ops_->upload(hidden.data, raw.data(), raw.size());
}

TensorList OpsEngine::read_flat(void* source, Dtype dtype) const {
  std::vector<std::byte> raw(parameter_count(config()) * size_of(dtype));
  ops_->download(raw.data(), source, raw.size());
  TensorList tensors;
  std::size_t offset = 0;
  for (const ParameterSpec& spec : specs_) {
    NamedTensor tensor{spec.name, {spec.rows, spec.cols}, std::vector<double>(spec.size())};
    for (double& value : tensor.values) value = decode(dtype, raw.data(), offset++);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void OpsEngine::write_flat(const TensorList& tensors, void* destination, Dtype dtype) {
  std::vector<std::byte> raw(parameter_count(config()) * size_of(dtype));
  std::size_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    encode(dtype, tensor.values, raw.data() + offset);
    offset += tensor.values.size() * size_of(dtype);
  }
  ops_->upload(destination, raw.data(), raw.size());
}

// With 16-bit parameters the master copy is the truth: it is what is saved, and what rounding starts from.

void OpsEngine::load_parameters(const TensorList& parameters) {
  require_parameters(parameters, config());
  const ParameterBuffers& buffers = model_.buffers();
  write_flat(parameters, buffers.param.data, buffers.param.dtype);
  if (buffers.master.data != buffers.param.data)
    write_flat(parameters, buffers.master.data, buffers.master.dtype);
}

TensorList OpsEngine::parameters() const {
  return read_flat(model_.buffers().master.data, model_.buffers().master.dtype);
}

void OpsEngine::load_moments(const Moments& moments) {
  require_parameters(moments.m, config());
  require_parameters(moments.v, config());
  write_flat(moments.m, model_.buffers().m.data, model_.buffers().m.dtype);
  write_flat(moments.v, model_.buffers().v.data, model_.buffers().v.dtype);
}

Moments OpsEngine::moments() const {
  const ParameterBuffers& buffers = model_.buffers();
  return {read_flat(buffers.m.data, buffers.m.dtype), read_flat(buffers.v.data, buffers.v.dtype)};
}

}  // namespace

std::unique_ptr<Engine> make_ops_engine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch) {
  require(max_batch > 0, "max_batch is {}: it must be 1 or more", max_batch);
  return std::make_unique<OpsEngine>(config, std::move(ops), max_batch);
}

}  // namespace ladder
