// Engines that are wrong on purpose: a decorator that spoils one thing from one step on.
#pragma once

#include <functional>

#include "shared/parity/parity.hpp"

namespace ladder {

struct Damage {
  std::int64_t from_step = 0;  ///< counted in calls of train_step
  std::function<void(Probe&)> probe = {};
  std::function<void(std::vector<Batch>&)> batches = {};  ///< what a step trains on
  std::function<void(Engine&)> after_step = {};
  std::function<double(double)> loss = {};
  std::function<void(TensorList&)> parameters = {};
  std::function<void(std::vector<double>&)> logits = {};  ///< of texts as a whole
  std::function<void(std::vector<double>&)> next = {};    ///< of the next token, where text is generated
};

/// Another's logits, spoilt.
class BrokenDecoder final : public Decoder {
 public:
  BrokenDecoder(std::unique_ptr<Decoder> inner, std::function<void(std::vector<double>&)> spoil)
      : inner_(std::move(inner)), spoil_(std::move(spoil)) {}
  std::vector<double> next(std::span<const std::int32_t> tokens) override {
    std::vector<double> logits = inner_->next(tokens);
    spoil_(logits);
    return logits;
  }

 private:
  std::unique_ptr<Decoder> inner_;
  std::function<void(std::vector<double>&)> spoil_;
};

class BrokenEngine final : public Engine {
 public:
  BrokenEngine(std::unique_ptr<Engine> inner, Damage damage)
      : inner_(std::move(inner)), damage_(std::move(damage)) {}

  const GptConfig& config() const override { return inner_->config(); }
  Dtype dtype() const override { return inner_->dtype(); }
  Layout layout() const override { return inner_->layout(); }
  void load_parameters(const TensorList& parameters) override { inner_->load_parameters(parameters); }
  TensorList parameters() const override {
    TensorList result = inner_->parameters();
    if (damage_.parameters) damage_.parameters(result);
    return result;
  }
  void load_moments(const Moments& moments) override { inner_->load_moments(moments); }
  Moments moments() const override { return inner_->moments(); }
  double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
    std::vector<Batch> used(batches.begin(), batches.end());
    const bool broken = steps_++ >= damage_.from_step;
    if (broken && damage_.batches) damage_.batches(used);
    const double loss = inner_->train_step(used, adam);
    if (broken && damage_.after_step) damage_.after_step(*inner_);
    return broken && damage_.loss ? damage_.loss(loss) : loss;
  }
  double loss(const Batch& batch) override { return inner_->loss(batch); }
  Probe probe(const Batch& batch) override {
    Probe result = inner_->probe(batch);
    if (steps_ >= damage_.from_step && damage_.probe) damage_.probe(result);
    return result;
  }
  std::vector<double> logits(std::span<const std::int32_t> tokens) override {
    std::vector<double> result = inner_->logits(tokens);
    if (damage_.logits) damage_.logits(result);
    return result;
  }
  std::unique_ptr<Decoder> decoder() override {
    if (!damage_.next) return inner_->decoder();
    return std::make_unique<BrokenDecoder>(inner_->decoder(), damage_.next);
  }

 private:
  std::unique_ptr<Engine> inner_;
  Damage damage_;
  std::int64_t steps_ = 0;
};

inline Side broken(const Side& side, const Damage& damage) {
  return {"broken " + side.name, side.dtype,
          [=](const GptConfig& config, int max_batch) {
            return std::make_unique<BrokenEngine>(side.make(config, max_batch), damage);
          },
          side.variant};
}

// The levels that compare_sides() is asked for, and a run of two layers on the embedded names.
inline constexpr ParityLevels kAll = {false, true, true, true}, kLossOnly = {false, false, false, true};

inline Run small_run(std::int64_t steps) {
  TrainConfig train;
  train.steps = steps;
  GptConfig model;
  model.n_layer = 2;
  return prepare_run(model, train, {});
}

/// The tensor of that name; fails the caller's lookup with an exception when there is none.
inline NamedTensor& tensor_of(TensorList& list, const std::string& name) {
  for (NamedTensor& tensor : list)
    if (tensor.name == name) return tensor;
  throw std::logic_error("no tensor " + name);
}

}  // namespace ladder
