#include "shared/train/ops_engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/train/engine_memory.hpp"

namespace ladder {
namespace {

/// Offset of the integers in a staging slot; the step's numbers lie in front of them.
constexpr std::size_t kStepBytes = 128;
static_assert(sizeof(StepConstants) <= kStepBytes);

void require_tokens(std::span<const std::int32_t> tokens, int lowest, int vocabulary, const char* what) {
  const bool valid =
      std::all_of(tokens.begin(), tokens.end(), [=](int t) { return t >= lowest && t < vocabulary; });
  if (valid) return;
  for (std::size_t n = 0; n < tokens.size(); ++n)
    require(tokens[n] >= lowest && tokens[n] < vocabulary, "{} {} of row {} is not in the vocabulary of {}",
            what, tokens[n], n, vocabulary);
}

std::size_t slot_bytes(const GptConfig& config, int max_batch) {
  const auto rows = static_cast<std::size_t>(most_rows(config, max_batch));
  return kStepBytes + (4 * rows + 2 * static_cast<std::size_t>(max_batch)) * sizeof(std::int32_t);
}

class OpsEngine final : public Engine {
 public:
  OpsEngine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch,
            std::shared_ptr<Communicator> communicator, ModelMaker maker);

  const GptConfig& config() const override { return model_->config(); }
  Dtype dtype() const override { return ops_->dtype(); }
  Layout layout() const override { return ops_->layout(); }
  Ranks ranks() const override { return {communicator_->rank(), communicator_->ranks()}; }
  std::vector<std::string> kernels_launched() const override { return ops_->kernels_launched(); }
  bool emulated() const override { return ops_->emulated(); }

  void load_parameters(const TensorList& parameters) override;
  TensorList parameters() const override;
  void load_moments(const Moments& moments) override;
  Moments moments() const override;

  double train_step(std::span<const Batch> micro_batches, const StepConstants& adam) override;
  std::optional<double> gradient_norm() const override;
  bool scales_loss() const override { return true; }
  double loss(const Batch& batch) override;
  Probe probe(const Batch& batch) override { return probe_along(batch, {}); }
  Probe probe_along(const Batch& batch, const TensorList& hidden) override;
  std::vector<double> logits(std::span<const std::int32_t> tokens) override;
  std::unique_ptr<Decoder> decoder() override;

 private:
  friend class CachedDecoder;

  void add_slot();
  void require_batch(const Batch& batch) const;
  /// Uploads the batch's integers into slot `slot`, in a step with its numbers.
  BatchView stage(const Batch& batch, std::size_t slot, const StepConstants* step);
  StepKey key_of(std::span<const Batch> micro_batches, const StepConstants& adam) const;
  void run_micro_batches(bool clips);
  /// Adds up the gradients from element `first` on over all ranks.
  void sum_over_ranks(std::size_t first, std::size_t count);
  /// Logits of the last of tokens[first..], whose predecessors' keys and values are in memory.
  std::vector<double> logits_after(std::span<const std::int32_t> tokens, std::size_t first);
  double read(Stat statistic) const;
  double read_loss() const { return read(model_->buffers().loss); }
  NamedTensor read_rows(const Tap& tap, const Batch& batch) const;
  /// Makes the values positive or 0 where `other` [N', width] is.
  void take_branches(const Tap& tap, const Batch& batch, const NamedTensor& other);

  TensorList read_flat(const void* source, Dtype dtype) const;
  /// `tensor` in the destination's type.
  template <class Role>
  void write(const NamedTensor& tensor, Ref<Role> destination);

  std::unique_ptr<Ops> ops_;
  int max_batch_;
  std::shared_ptr<Communicator> communicator_;
  std::unique_ptr<Model> model_;
  std::vector<std::byte> staging_;  ///< host copy of one slot
  std::vector<std::byte*> slots_;   ///< in the stage's memory
  std::vector<BatchView> views_;    ///< micro-batches of the step being run
  double scale_ = 1.0;
  double loss_scale_ = 1.0;    ///< of the last step
  bool measured_ = false;      ///< the last step measured its gradients
  std::uint64_t uses_ = 0;     ///< of the model's activations, which hold a decoder's keys and values
  std::uint64_t updates_ = 0;  ///< of the weights
};

OpsEngine::OpsEngine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch,
                     std::shared_ptr<Communicator> communicator, ModelMaker maker)
    : ops_(std::move(ops)),
      max_batch_(max_batch),
      communicator_(std::move(communicator)),
      model_(maker(config, *ops_, most_rows(config, max_batch))),
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

BatchView OpsEngine::stage(const Batch& batch, std::size_t slot, const StepConstants* step) {
  ++uses_;
  BatchView view = batch.view();
  std::size_t offset = kStepBytes;
  if (step != nullptr) {
    std::memcpy(staging_.data(), step, sizeof *step);
    view.step = reinterpret_cast<const StepConstants*>(slots_[slot]);
  }
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
  append(batch.order_n, view.order_n);
  ops_->upload(slots_[slot], staging_.data(), offset);
  return view;
}

StepKey OpsEngine::key_of(std::span<const Batch> micro_batches, const StepConstants& adam) const {
  StepKey key{0,
              0,
              0,
              static_cast<int>(micro_batches.size()),
              true,
              adam.clip > 0.0 || adam.loss_scale != 1.0,
              adam.loss_scale};
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

void OpsEngine::sum_over_ranks(std::size_t first, std::size_t count) {
  const Grad part = model_->buffers().grad.at(first);
  const auto sum = [&](void* queue) { communicator_->sum(part, count, queue); };
  ops_->in_order(std::ref(sum));  // by reference: a step allocates nothing
}

void OpsEngine::run_micro_batches(bool clips) {
  model_->begin_step();
  for (const BatchView& batch : views_) {
    stop_if_interrupted();  // until the update nothing is changed that is saved
    model_->forward(batch);
    model_->loss(batch, scale_, true);
    // Only the last micro-batch completes gradients; what comes after each part overlaps with the rest of its pass.
    const bool last = &batch == &views_.back();
    if (last)
      model_->backward(batch, [this](std::size_t first, std::size_t count) { sum_over_ranks(first, count); });
    else
      model_->backward(batch);
  }
  sum_over_ranks(model_->loss_element(), 1);
  model_->update(views_.front().step, clips);
}

double OpsEngine::train_step(std::span<const Batch> micro_batches, const StepConstants& adam) {
  require(!micro_batches.empty(), "a step needs at least one micro-batch");
  const StepKey key = key_of(micro_batches, adam);
  for (const Batch& batch : micro_batches) require_batch(batch);
  while (slots_.size() < micro_batches.size()) add_slot();
  views_.clear();
  for (std::size_t i = 0; i < micro_batches.size(); ++i) {
    stop_if_interrupted();
    StepConstants step = adam;
    step.micro_batch = static_cast<std::int64_t>(i);
    const Ranks ranks = this->ranks();  // whose micro-batches take turns, see TokenSource
    step.first_sequence = (step.micro_batch * ranks.ranks + ranks.rank) * micro_batches.front().batch();
    views_.push_back(stage(micro_batches[i], i, &step));
    views_.back().max_length = key.max_length;  // the same launches for every step of this key
    views_.back().full = key.full;
  }
  scale_ = adam.loss_scale / (static_cast<double>(std::max(key.batch, 1)) * communicator_->ranks());
  loss_scale_ = adam.loss_scale;
  measured_ = key.clips;
  ++updates_;
  ops_->run_step(key, [this, &key] { run_micro_batches(key.clips); });
  return read_loss() / adam.loss_scale;
}

std::optional<double> OpsEngine::gradient_norm() const {
  if (!measured_) return {};
  return std::sqrt(read(model_->buffers().squares)) / loss_scale_;
}

double OpsEngine::loss(const Batch& batch) {
  require_batch(batch);
  const BatchView view = stage(batch, 0, nullptr);
  model_->begin_step();
  model_->forward(view);
  model_->loss(view, 1.0 / std::max(view.batch, 1), false);
  return read_loss();
}

Probe OpsEngine::probe_along(const Batch& batch, const TensorList& hidden) {
  require_batch(batch);
  const BatchView view = stage(batch, 0, batch.step ? &*batch.step : nullptr);
  Probe probe;
  model_->begin_step();
  model_->forward(view);
  for (const Tap& tap : model_->taps()) probe.activations.push_back(read_rows(tap, batch));
  const std::vector<Tap> branches = model_->branches();
  for (std::size_t i = 0; i < branches.size(); ++i) {
    probe.hidden.push_back(read_rows(branches[i], batch));
    if (i < hidden.size()) take_branches(branches[i], batch, hidden[i]);
  }
  model_->loss(view, 1.0 / std::max(view.batch, 1), true);  // overwrites the logits
  model_->backward(view);
  probe.loss = read_loss();
  probe.gradients = read_flat(model_->buffers().grad.data, model_->buffers().grad.dtype);
  return probe;
}

// ---- logits and decoding -------------------------------------------------------------------------------------

namespace {

/// A batch of one sequence that has no targets.
Batch batch_of(std::span<const std::int32_t> tokens, Layout layout, int block_size) {
  const Sequence sequence{{tokens.begin(), tokens.end()}, std::vector<std::int32_t>(tokens.size(), 0)};
  return make_batch(std::span(&sequence, 1), layout, block_size);
}

}  // namespace

std::vector<double> OpsEngine::logits(std::span<const std::int32_t> tokens) {
  const Batch batch = batch_of(tokens, layout(), config().block_size);
  require_batch(batch);
  model_->forward(stage(batch, 0, nullptr));
  return read_rows(model_->taps().back(), batch).values();
}

std::vector<double> OpsEngine::logits_after(std::span<const std::int32_t> tokens, std::size_t first) {
  // Packed on every stage: a row of padding would be computed like any other.
  const Batch batch = batch_of(tokens.subspan(first), Layout::packed, config().block_size);
  require_batch(batch);
  BatchView view = stage(batch, 0, nullptr);
  view.first = static_cast<int>(first);
  model_->forward(view, LogitRows::last);
  const Act row = model_->activation("logits");
  std::vector<std::byte> raw(static_cast<std::size_t>(config().vocab_size) * size_of(row.dtype));
  ops_->download(raw.data(), row.data, raw.size());
  std::vector<double> logits(static_cast<std::size_t>(config().vocab_size));
  for (std::size_t v = 0; v < logits.size(); ++v) logits[v] = decode(row.dtype, raw.data(), v);
  return logits;
}

/// Feeds the model the new rows only. The keys and values before them lie in the model's activations: where something
/// else has used those since (a loss, another decoder), all tokens so far are fed again.
class CachedDecoder final : public Decoder {
 public:
  explicit CachedDecoder(OpsEngine& engine) : engine_(engine) {}

  std::vector<double> next(std::span<const std::int32_t> tokens) override {
    require(!tokens.empty(), "a decoder needs at least one token at a time");
    require(tokens_.size() + tokens.size() <= static_cast<std::size_t>(engine_.config().block_size),
            "more than block_size = {} tokens", engine_.config().block_size);
    require(engine_.updates_ == updates_,
            "the weights have changed since this decoder began: ask for another");
    const std::size_t kept = engine_.uses_ == uses_ ? tokens_.size() : 0;
    std::vector<std::int32_t> all = tokens_;
    all.insert(all.end(), tokens.begin(), tokens.end());
    std::vector<double> logits = engine_.logits_after(all, kept);
    tokens_ = std::move(all);  // only now: what was refused was not fed
    uses_ = engine_.uses_;
    return logits;
  }

 private:
  OpsEngine& engine_;
  std::vector<std::int32_t> tokens_;
  std::uint64_t updates_ = engine_.updates_;
  std::uint64_t uses_ = 0;  ///< of the engine, after this decoder's last
};

std::unique_ptr<Decoder> OpsEngine::decoder() { return std::make_unique<CachedDecoder>(*this); }

// ---- tensors, to the host and back ---------------------------------------------------------------------------

double OpsEngine::read(Stat statistic) const {
  std::uint64_t storage = 0;
  ops_->download(&storage, statistic.data, size_of(statistic.dtype));
  return decode(statistic.dtype, &storage, 0);
}

NamedTensor OpsEngine::read_rows(const Tap& tap, const Batch& batch) const {
  const ActivationSpec& spec = model_->plan().find(tap.activation);
  const std::size_t row_bytes = spec.width * size_of(spec.dtype);
  const std::size_t columns = tap.columns == 0 ? spec.width : static_cast<std::size_t>(tap.columns);
  std::vector<std::byte> raw(static_cast<std::size_t>(batch.rows()) * row_bytes);
  ops_->download(raw.data(), model_->activation(tap.activation).data, raw.size());
  const int rows = std::accumulate(batch.lengths_b.begin(), batch.lengths_b.end(), 0);
  NamedTensor tensor(tap.name, {rows, static_cast<int>(columns)}, spec.dtype);
  auto out = tensor.bytes().begin();
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b)
    for (int t = 0; t < batch.lengths_b[b]; ++t) {
      // NOLINTNEXTLINE(bugprone-misplaced-widening-cast): a row's number fits an int
      const auto row = static_cast<std::size_t>(batch.starts_b[b] + t);
      out = std::copy_n(raw.begin() + static_cast<std::ptrdiff_t>(row * row_bytes),
                        columns * size_of(spec.dtype), out);
    }
  return tensor;
}

void OpsEngine::take_branches(const Tap& tap, const Batch& batch, const NamedTensor& other) {
  const ActivationSpec& spec = model_->plan().find(tap.activation);
  const Act hidden = model_->activation(tap.activation);
  std::vector<std::byte> raw(static_cast<std::size_t>(batch.rows()) * spec.width * size_of(spec.dtype));
  ops_->download(raw.data(), hidden.data, raw.size());
  std::size_t next = 0;
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b) {
    const std::size_t start = static_cast<std::size_t>(batch.starts_b[b]) * spec.width;
    const std::size_t count = static_cast<std::size_t>(batch.lengths_b[b]) * spec.width;
    require(next + count <= other.size(), "{}: {} values for a batch that needs more", other.name,
            other.size());
    for (std::size_t i = start; i < start + count; ++i, ++next) {
      const bool wanted = other[next] > 0.0, taken = decode(hidden.dtype, raw.data(), i) > 0.0;
      if (wanted == taken) continue;
      const double value = wanted ? other[next] : 0.0;  // next to nothing, or else `hidden` differs
      encode(hidden.dtype, std::span(&value, 1), raw.data() + i * size_of(hidden.dtype));
    }
  }
  ops_->upload(hidden.data, raw.data(), raw.size());
}

TensorList OpsEngine::read_flat(const void* source, Dtype dtype) const {
  TensorList tensors = zeros_of(model_->parameters(), dtype);
  const auto* from = static_cast<const std::byte*>(source);
  for (NamedTensor& tensor : tensors) {
    ops_->download(tensor.bytes().data(), from, tensor.bytes().size());
    from += tensor.bytes().size();
  }
  return tensors;
}

template <class Role>
void OpsEngine::write(const NamedTensor& tensor, Ref<Role> destination) {
  ops_->upload(destination.data, tensor.bytes().data(), tensor.bytes().size());
}

// With 16-bit parameters the master copy is the truth: it is what is saved, and what rounding starts from.

void OpsEngine::load_parameters(const TensorList& parameters) {
  require_parameters(parameters, model_->parameters());
  const ParameterBuffers& buffers = model_->buffers();
  for (std::size_t i = 0, first = 0; i < parameters.size(); first += parameters[i++].size()) {
    const NamedTensor master = parameters[i].in(buffers.master.dtype);
    write(master, buffers.master.at(first));
    if (buffers.master.data != buffers.param.data)
      write(master.in(buffers.param.dtype), buffers.param.at(first));  // rounded as an update rounds it
  }
  ++updates_;
}

TensorList OpsEngine::parameters() const {
  return read_flat(model_->buffers().master.data, model_->buffers().master.dtype);
}

void OpsEngine::load_moments(const Moments& moments) {
  require_parameters(moments.m, model_->parameters());
  require_parameters(moments.v, model_->parameters());
  const ParameterBuffers& buffers = model_->buffers();
  for (std::size_t i = 0, first = 0; i < moments.m.size(); first += moments.m[i++].size()) {
    write(moments.m[i].in(buffers.m.dtype), buffers.m.at(first));
    write(moments.v[i].in(buffers.v.dtype), buffers.v.at(first));
  }
}

Moments OpsEngine::moments() const {
  const ParameterBuffers& buffers = model_->buffers();
  return {read_flat(buffers.m.data, buffers.m.dtype), read_flat(buffers.v.data, buffers.v.dtype)};
}

}  // namespace

std::unique_ptr<Engine> make_ops_engine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch,
                                        std::shared_ptr<Communicator> communicator, ModelMaker maker) {
  require(max_batch > 0, "max_batch is {}: it must be 1 or more", max_batch);
  return std::make_unique<OpsEngine>(config, std::move(ops), max_batch, std::move(communicator), maker);
}

}  // namespace ladder
