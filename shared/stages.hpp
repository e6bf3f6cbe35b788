// The stages of the ladder: what there is, what it can compute in, and how to make an Engine of each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/device/gpu.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

struct StageInfo {
  int number;
  std::string name;           ///< "scalar autograd"
  std::string summary;        ///< one clause for tables
  std::vector<Dtype> dtypes;  ///< the first is the default
  bool gpu;                   ///< has kernels for a GPU
};

/// All stages that this build contains, by number.
const std::vector<StageInfo>& stages();

/// Throws InputError with the list of stages when there is none of that number.
const StageInfo& find_stage(int number);

struct EngineOptions {
  Dtype dtype = Dtype::fp32;
  int max_batch = 1;  ///< most sequences in one micro-batch; decides the memory taken before the first step
  Device device = Device::automatic;
  int threads = 0;  ///< 0: all cores
  /// Stage 3 only: a training step is two launches, a block a document, instead of one launch an operation.
  bool fused_step = false;
};

/// `config` is a valid shape (see validate()). Throws InputError when the stage does not compute in options.dtype or does
/// not know a setting of `config` (stage 0 has no grouped-query attention) or cannot fuse its steps, MachineError when the
/// machine cannot run it.
std::unique_ptr<Engine> make_engine(int stage, const GptConfig& config, const EngineOptions& options);

class Ops;

/// The operations of a stage from 1 on, without the model; the same errors, and InputError for stage 0, which has none.
std::unique_ptr<Ops> make_ops(int stage, const EngineOptions& options);

}  // namespace ladder
