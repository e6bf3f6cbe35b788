// The stages of the ladder: what there is, what it can compute in, and how to make an Engine of each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/device/communicator.hpp"
#include "shared/device/gpu.hpp"
#include "shared/train/engine.hpp"
#include "shared/train/engine_memory.hpp"

namespace ladder {

struct EngineOptions;

/// An Engine that a stage offers besides its own: the same model, trained in another way.
struct Variant {
  std::string name;      ///< "fused-step": --variant takes it, and it is a switch of `ladder train`
  std::string summary;   ///< one clause for --help
  std::string launches;  ///< what a run's configuration says: "two a step: a block a document, then Adam"
  std::string row;       ///< in tables of speed, behind the stage: "fused step"; empty: it is not raced
  /// Throws InputError naming the first thing that it cannot do.
  void (*check)(const GptConfig& config, const EngineOptions& options);
  /// Its engine around the stage's own of the same model and options.
  std::unique_ptr<Engine> (*make)(std::unique_ptr<Engine> plain, const EngineOptions& options);
};

struct StageInfo {
  int number;
  std::string name;           ///< "scalar autograd"
  std::string summary;        ///< one clause for tables
  std::string lesson;         ///< what a stranger should know of it, for the first page
  std::string folder;         ///< from the source folder; its page is the README.md there
  std::vector<Dtype> dtypes;  ///< the first is the default
  bool gpu;                   ///< has kernels for a GPU
  bool gpt2 = false;          ///< has the operations of GPT-2, besides microGPT's
  std::vector<Variant> variants = {};
};

/// All stages that this build contains, by number.
const std::vector<StageInfo>& stages();

/// Throws InputError with the list of stages when there is none of that number.
const StageInfo& find_stage(int number);

/// Throws InputError when the stage has none of that name, with the stage that does or the list of all.
const Variant& find_variant(int stage, const std::string& name);

struct EngineOptions {
  Dtype dtype = Dtype::fp32;
  int max_batch = 1;  ///< most sequences in one micro-batch; decides the memory taken before the first step
  Device device = Device::automatic;
  int threads = 0;           ///< 0: all cores
  std::string variant = {};  ///< of the stage; empty: its own engine
  int grad_accum = 1;        ///< micro-batches in one step; some variants take only one
  bool clips = false;        ///< gradients are clipped; some variants cannot
  /// The programs that train this model together; from stage 1 on, without a variant, there may be several.
  std::shared_ptr<Communicator> communicator = single_rank();
};

/// `config` is a valid shape (see validate()). Throws InputError when the stage does not compute in options.dtype or
/// does not know a setting of `config` (stage 0 has no grouped-query attention), or when the variant is not the stage's
/// or cannot train this; MachineError when the machine cannot run it.
std::unique_ptr<Engine> make_engine(int stage, const GptConfig& config, const EngineOptions& options);

/// Of the engine that make_engine makes from the same arguments, with the same errors but for that of missing memory;
/// nothing that depends on the size of the model is taken.
EngineNeeds engine_needs(int stage, const GptConfig& config, const EngineOptions& options);

class Ops;

/// The largest EngineOptions::max_batch that would fit into `bytes`; 0 where none does.
int largest_batch(int stage, const GptConfig& config, const EngineOptions& options, std::size_t bytes);

/// The operations of a stage from 1 on, without the model; the same errors, and InputError for stage 0, which has none.
std::unique_ptr<Ops> make_ops(int stage, const EngineOptions& options);

}  // namespace ladder
