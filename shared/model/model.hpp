// A model over the abstract Ops: its parameters, activations and memory, and what a stage runs of it.
//
// The engine, the taps of parity and the variants of a stage know a model through this class. MicroGPT is one
// (microgpt.cpp, the text to read); another brings its own parameters, activations and three passes.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/model/activation_plan.hpp"
#include "shared/model/config.hpp"
#include "shared/model/ops.hpp"
#include "shared/model/parameters.hpp"

namespace ladder {

/// Flat buffers of parameter_count() elements, all in the order of Model::parameters(). `master` is `param` where
/// parameters are not 16-bit. Behind the last parameter and its gradient lie the model's `tail` more elements, always
/// zeros. `loss` is one element behind those of `grad`, so that one zero() clears all; `squares` is one, of the
/// operation GradientSquares.
struct ParameterBuffers {
  Param param;
  Grad grad;
  Master m, v, master;
  Stat loss, squares;
};

/// An activation under the name that stages are compared by.
struct Tap {
  std::string name;        ///< "layer0.attn"
  std::string activation;  ///< its name in the activation plan
  int columns = 0;         ///< how many of each row count; 0: all
};

/// Told by a backward pass that the `count` gradients from element `first` of ParameterBuffers::grad on are complete.
using GradientsReady = std::function<void(std::size_t first, std::size_t count)>;

/// Rows of a batch whose logits are wanted.
enum class LogitRows { all, last };

class Model {
 public:
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  /// Clears gradients and loss.
  void begin_step();
  /// MODEL: tokens to logits. With batch.first > 0, the keys and values of the positions before must still be where
  /// earlier calls left them. LogitRows::last: the logits of the last row alone, in row 0.
  virtual void forward(const BatchView& batch, LogitRows rows = LogitRows::all) = 0;
  /// LOSS: adds scale * (sum over sequences of their mean cross-entropy); with_gradient turns logits into dlogits.
  virtual void loss(const BatchView& batch, double scale, bool with_gradient) = 0;
  /// GRADIENTS: adds those of this batch, from the dlogits that loss() left. `ready`, if any, is told of each part of
  /// the gradients as soon as nothing more of this batch is added to it.
  virtual void backward(const BatchView& batch, const GradientsReady& ready = {}) = 0;
  /// OPTIMIZER: one AdamW step over all parameters; `step` lies in the stage's memory. `clips`: gradients are first
  /// scaled by its clip_factor.
  void update(const StepConstants* step, bool clips);

  /// Activations in the order in which they are computed, from the embedding to the logits.
  virtual std::vector<Tap> taps() const = 0;
  /// What an activation function has cut at 0, each a tap too: see Engine::probe_along.
  virtual std::vector<Tap> branches() const = 0;

  const GptConfig& config() const { return config_; }
  const ParameterSpecs& parameters() const { return specs_; }
  const ParameterBuffers& buffers() const { return buffers_; }
  const ActivationPlan& plan() const { return plan_; }
  /// Where the loss lies, counted in gradients: behind the last of them.
  std::size_t loss_element() const { return count_ + tail_; }
  Act activation(std::string_view name) const { return plan_.in<Act>(arena_, name); }
  Stat statistic(std::string_view name) const { return plan_.in<Stat>(arena_, name); }

 protected:
  /// Takes all memory of training from `ops`, which must outlive this.
  /// Parameters that decay stand behind those that do not. `tail`: elements behind the last parameter and its
  /// gradient, see ParameterBuffers.
  Model(const GptConfig& config, Ops& ops, ParameterSpecs specs, ActivationPlan plan, std::size_t tail = 0);

  /// Tells `ready`, if there is one, that the gradients of all parameters whose names begin with one of these are
  /// complete: once for each run of neighbours.
  void tell(const GradientsReady& ready, std::initializer_list<std::string_view> prefixes) const;

  /// The parameter `name`, and its gradient.
  Param param(std::string_view name) const { return buffers_.param.at(index_.offset(name)); }
  Grad grad(std::string_view name) const { return buffers_.grad.at(index_.offset(name)); }
  const ParameterIndex& index() const { return index_; }
  Ops& ops() const { return ops_; }

 private:
  GptConfig config_;
  Ops& ops_;
  ParameterSpecs specs_;
  ParameterIndex index_;
  std::size_t count_;  ///< scalars in all parameters
  std::size_t tail_;   ///< and behind them
  std::size_t decays_from_;
  ActivationPlan plan_;
  ParameterBuffers buffers_;
  void* arena_;
};

/// Makes a model with room for batches of up to `max_rows` rows.
using ModelMaker = std::unique_ptr<Model> (*)(const GptConfig& config, Ops& ops, int max_rows);

/// The model of `config.architecture`; a ModelMaker, with the errors of make_microgpt.
std::unique_ptr<Model> make_model(const GptConfig& config, Ops& ops, int max_rows);

}  // namespace ladder
