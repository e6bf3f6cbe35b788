// Parity: is one stage the same GPT as another? Compared level by level, from the same weights and the same data.
//
//   kernel  every operation of the upper stage's Ops against stage 1 in double, on awkward shapes (kernel_parity.hpp)
//   block   the residual stream after the embedding and after every half block, and the MLP's hidden activations
//   model   the logits and the gradient of every parameter, with weights carried over through a safetensors file
//   loss    the loss of every step, then the sampled texts
//
// The lower side is the reference. Limits come from the table of tolerances. When a loss curve fails, the two stages
// are walked again in lockstep, the upper one put onto the lower one's weights before every step, and every tensor of
// that step is compared in the order in which it is computed: the first that fails is where the stages part.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/check/check.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/stages.hpp"
#include "shared/train/engine.hpp"
#include "shared/train/run.hpp"

namespace ladder {

/// Narrower than fp32 in what its products keep.
constexpr bool is_narrow(Dtype dtype) { return dtype != Dtype::fp64 && dtype != Dtype::fp32; }

/// One of the two programs that are compared: how to make its engine. Tests put broken engines here.
struct Side {
  std::string name;  ///< "stage 1 fp32"
  Dtype dtype = Dtype::fp64;
  std::function<std::unique_ptr<Engine>(const GptConfig& config, int max_batch)> make;
  std::string variant = {};  ///< as tables call it: "fused step"; empty: the stage itself
  /// What that engine is going to take; empty where nobody knows.
  std::function<EngineNeeds(const GptConfig& config, int max_batch)> needs = {};
};

/// `variant` is one of the stage's, which then is named behind the type; nullptr: the stage itself.
Side side_of(int stage, Dtype dtype, Device device = Device::automatic, int threads = 0,
             const Variant* variant = nullptr);
/// Where a stage of a chain runs that was asked to be on `device`: one without GPU kernels stays on the CPU.
Device device_of(int stage, Device device);

/// One rung of the chain that climb, speedup and parity go up.
struct Rung {
  int stage;
  Side side;
  /// Index of the rung it is proven against; -1 for stage 0, whose oracle is the interpreter.
  int below = -1;
};

/// MicroGPT's: stage 0; stage 1 in fp64 against it; stage 1 in fp32 against fp64; stages 2 and 3 in their default type
/// against stage 1 fp64, and on a usable GPU also in bf16 where they have that; stage 4 in the same types against
/// stage 3. GPT-2's: the stages that run it, each against stage 1 fp64.
std::vector<Rung> rungs(Device device = Device::automatic, int threads = 0,
                        Architecture architecture = Architecture::microgpt);

/// Zeros, in the shapes of the model's parameters.
Moments zero_moments(const GptConfig& config);

/// Puts an engine at the start of the run: initial parameters, moments of zero.
void restart(Engine& engine, const Run& run);

/// Trains from the start of the run; one loss a step. `before_step(s)` may be empty.
std::vector<double> train_curve(Engine& engine, const Run& run, std::int64_t steps,
                                const std::function<void(std::int64_t)>& before_step = {});

/// One comparison and what it was about.
struct Finding {
  std::string level;      ///< "kernel", "block", "model", "loss", "step" (see compare_step), or "located"
  std::string what;       ///< "layer0.attn", "gradient of layer0.attn_wq", "losses", "samples"
  std::int64_t step = 0;  ///< whose weights and data; for "losses" the number of steps compared
  std::vector<int> shape;
  std::string tolerance;  ///< key of the row in the table; empty where only equality counts
  double limit = 0.0;
  Comparison comparison;
  /// The size of the terms that cancelled, where it was needed; see allow_for_rounding().
  double terms = 0.0;

  /// "step 12, layer 0, gradient of layer0.attn_wq, row 3, column 5: got ..., want ..., error ..., allowed ..."
  std::string describe() const;
};

struct ParityReport {
  std::string upper, lower;
  std::int64_t steps = 0;
  std::vector<Finding> findings;
  std::vector<std::string> notes;

  bool passed() const;
  /// Where the stages part: the located tensor if there is one, else the first failing finding; nullptr when passed.
  const Finding* divergence() const;
  /// The finding with the largest error relative to its limit among those of a level; nullptr when there is none.
  const Finding* worst(const std::string& level) const;
};

struct ParityLevels {
  bool kernel = false, block = true, model = true, loss = true;
  /// "kernel", "block", "model", "loss" or "all"; throws InputError naming them otherwise.
  static ParityLevels parse(const std::string& name);
};

/// Compares over `run.train.steps` steps. The kernel level is not part of it (see kernel_parity.hpp).
ParityReport compare_sides(const Side& upper, const Side& lower, const Run& run, const ParityLevels& levels);

/// What training left: one loss a step, and the texts after it.
struct Training {
  std::vector<double> loss;
  std::vector<std::string> samples;
  /// What is not finite, "its loss of step 3 is nan": there are no samples then. Empty: all is.
  std::string diverged = {};
};

/// train_curve() over the run's steps, then texts_after_training(). A training that diverges is one, too.
Training training_of(Engine& engine, const Run& run,
                     const std::function<void(std::int64_t)>& before_step = {});

/// Losses by judge_curve(), then samples; where the losses fail, locates the divergence. Where one side diverges the
/// comparison fails; a note says which and how.
void compare_training(const Side& upper, const Side& lower, const Run& run, const Training& got,
                      const Training& want, ParityReport& report);

// The pieces, for climb, which trains every stage once and compares afterwards.

/// Puts the lower engine's weights onto the upper one (at level model through a safetensors file, and compares what
/// arrived), then compares probes of both on the data of `step`, both from the weights as the upper one rounds them.
/// Weights that are not finite are a finding, and nothing else is compared.
void compare_engines(Engine& upper, Engine& lower, const Run& run, std::int64_t step,
                     const ParityLevels& levels, ParityReport& report);
/// Probes of both on the data of `step`, from the upper one's weights as its kernels read them; leaves those on both.
void compare_from_equal_weights(Engine& upper, Engine& lower, const Run& run, std::int64_t step,
                                const ParityLevels& levels, ParityReport& report);
/// Parameters as a stage that computes in `dtype` stores them for its kernels.
TensorList as_stored(TensorList parameters, Dtype dtype);
/// 20 texts after training, drawn as the original program draws them.
std::vector<std::string> texts_after_training(Engine& engine, const Run& run);
/// Activations, logits and gradients of one batch with the same weights, at the levels asked for.
void compare_probes(const Probe& upper, const Probe& lower, Dtype dtype, std::int64_t step,
                    const ParityLevels& levels, ParityReport& report);
/// Stage 0's losses against the interpreter's: the same bits.
void compare_with_interpreter(std::span<const double> stage0, std::span<const double> interpreter,
                              ParityReport& report);
/// Texts must be equal, at least in fp64 and fp32.
void compare_samples(const std::vector<std::string>& upper, const std::vector<std::string>& lower,
                     Dtype dtype, ParityReport& report);
/// One training step of both from the lower one's weights and moments, rounded to the upper one's type: probes, loss,
/// moments, and the upper one's update by its own moments. In narrow types its moments, too, are held against its own
/// gradients: those of the two stages differ by more than rounding wherever a ReLU is switched by it. The lower one
/// moves on.
ParityReport compare_step(Engine& upper, Engine& lower, const Run& run, std::int64_t step);
/// Walks both in lockstep through steps 0 .. last and adds the first comparison that fails as level "located".
void locate(const Side& upper, const Side& lower, const Run& run, std::int64_t last, ParityReport& report);

/// What a report that failed comes to, in a line: "stage 2 fp32 differs from stage 1 fp64: step 12, ...".
std::string verdict_of(const ParityReport& report);
std::string text_of(const ParityReport& report);
Json to_json(const ParityReport& report);
/// One line of the parity table: {"kernel": {"error", "limit", "passed", "what"}, ..., "samples": "20 identical"}.
Json summary_of(const ParityReport& report);

}  // namespace ladder
