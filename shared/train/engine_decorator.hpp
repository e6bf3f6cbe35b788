// An Engine that trains in a way of its own and leaves everything else to another.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shared/train/engine.hpp"

namespace ladder {

/// Forwards every call to the engine it was made with, but for train_step(), which is its own (and with it
/// train_steps() and steps_at_a_time()). Where training leaves that engine behind, answering() brings it up to date.
class EngineDecorator : public Engine {
 public:
  explicit EngineDecorator(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  const GptConfig& config() const override { return engine_->config(); }
  Dtype dtype() const override { return engine_->dtype(); }
  Ranks ranks() const override { return engine_->ranks(); }
  Layout layout() const override { return engine_->layout(); }

  void load_parameters(const TensorList& parameters) override { engine_->load_parameters(parameters); }
  TensorList parameters() const override { return engine_->parameters(); }
  void load_moments(const Moments& moments) override { engine_->load_moments(moments); }
  Moments moments() const override { return engine_->moments(); }

  double loss(const Batch& batch) override { return answering().loss(batch); }
  Probe probe(const Batch& batch) override { return answering().probe(batch); }
  Probe probe_along(const Batch& batch, const TensorList& hidden) override {
    return answering().probe_along(batch, hidden);
  }
  std::vector<double> logits(std::span<const std::int32_t> tokens) override {
    return answering().logits(tokens);
  }
  std::unique_ptr<Decoder> decoder() override { return answering().decoder(); }

  std::vector<std::string> kernels_launched() const override { return engine_->kernels_launched(); }
  bool emulated() const override { return engine_->emulated(); }

 protected:
  Engine& engine() { return *engine_; }

  /// The engine that answers what is asked between steps, holding the parameters trained so far.
  virtual Engine& answering() { return *engine_; }

  /// The engine's kernels and those of the decorator, sorted.
  std::vector<std::string> kernels_with(const std::vector<std::string>& own) const {
    std::vector<std::string> names = engine_->kernels_launched();
    names.insert(names.end(), own.begin(), own.end());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace ladder
