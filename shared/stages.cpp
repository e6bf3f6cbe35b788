#include "shared/stages.hpp"
#include "shared/device/cpu_runtime.hpp"

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/process_limits.hpp"
#include "shared/base/shown.hpp"
#include "shared/train/engine_memory.hpp"
#include "shared/train/ops_engine.hpp"
#include "stage0_scalar_autograd/engine.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "stage2_naive_cuda/ops_cuda.hpp"
#include "stage3_tiled_kernels/configs/attention.hpp"
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"
#include "stage3_tiled_kernels/ops_tile.hpp"
#include "stage4_nanogpt/ops_nano.hpp"

namespace ladder {
namespace {

using Maker = std::unique_ptr<Engine> (*)(const GptConfig&, const EngineOptions&);
using OpsMaker = std::unique_ptr<Ops> (*)(const EngineOptions&);

/// One row a stage: what the tables say about it, and how its engine is made.
struct Entry {
  StageInfo info;
  Maker make;                   ///< where the stage has a model of its own
  OpsMaker make_ops = nullptr;  ///< where it shares the model text
  /// Throws InputError for a shape that the stage's kernels do not know; null where they know all.
  void (*check_shape)(const GptConfig& config, Dtype dtype) = nullptr;
};

void require_no_groups(const GptConfig& config, Dtype) {
  require(config.kv_heads() == config.n_head,
          "stage 0 has no grouped-query attention: use --n-kv-head {} or a stage from 1 on", config.n_head);
}

/// What the tile kernels of attention say themselves, but only at their first launch.
void require_tile_heads(const GptConfig& config, Dtype dtype) {
  const int size = config.head_dim();
  require(table::head_class(size, Precision::of(dtype).activation) != 0,
          "no kernel for head size {} in {} (--n-embd {} over --n-head {}): there are kernels for 1 to 64 in "
          "every type, and up to 128 in fp32 and bf16",
          size, name_of(dtype), config.n_embd, config.n_head);
  const int group = config.n_head / config.kv_heads();
  require(std::int64_t{config.n_head} * group <= 1 << 16,
          "--n-head {} in groups of {} (--n-kv-head): their product may be at most 65536", config.n_head,
          group);
}

/// A variant that never has all gradients in one place, and so no norm of them.
void require_no_clipping(const char* flag, const EngineOptions& options) {
  require(!options.clips, "{}: it does not clip gradients: leave out --clip, or train without {}", flag,
          flag);
}

/// Not raced: what it saves shows over a whole run, and a race's slices are a few steps.
Variant one_launch() {
  return {"one-launch",
          "train in launches of many steps, one sequence a step",
          fmt::format("one block trains up to {} steps in one launch", kStepsPerLaunch),
          "",
          [](const GptConfig& config, const EngineOptions& options) {
            require_no_clipping("--one-launch", options);
            require_one_launch(config, options.dtype, std::int64_t{options.max_batch} * options.grad_accum);
          },
          [](std::unique_ptr<Engine> plain, const EngineOptions& options) {
            return make_one_launch_engine(std::move(plain), {options.dtype, options.device, options.threads});
          }};
}

Variant fused_step() {
  return {"fused-step",
          "two launches a step, a block a document, for any batch",
          "two a step: a block a document, then Adam",
          "fused step",
          [](const GptConfig& config, const EngineOptions& options) {
            require_no_clipping("--fused-step", options);
            require_fused_step(config, options.dtype);
          },
          [](std::unique_ptr<Engine> plain, const EngineOptions& options) {
            return make_fused_step_engine(std::move(plain), {options.dtype, options.device, options.threads},
                                          options.max_batch);
          }};
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = {
      {{0,
        "scalar autograd",
        "one Value a number, backward over the tape",
        "a gradient is a walk backwards over a graph of scalars",
        "stage0_scalar_autograd",
        {Dtype::fp64},
        false},
       [](const GptConfig& config, const EngineOptions&) { return stage0::make_engine(config); },
       nullptr,
       require_no_groups},
      {{1,
        "CPU tensors",
        "Eigen matrices, backward passes derived by hand",
        "the same derivatives, by hand, on whole matrices",
        "stage1_cpu_tensor",
        {Dtype::fp32, Dtype::fp64},
        false,
        true},
       nullptr,
       [](const EngineOptions& options) { return make_eigen_ops(options.dtype, options.threads); }},
      {{2,
        "naive CUDA",
        "one thread owns one number of the result",
        "one thread owns one number of the result",
        "stage2_naive_cuda",
        {Dtype::fp32, Dtype::fp64},
        true},
       nullptr,
       [](const EngineOptions& options) {
         return make_cuda_ops(options.dtype, options.device, options.threads);
       }},
      {{3,
        "tiled kernels",
        "one block owns a tile; CUDA Tile C++",
        "one block owns a tile of the result and hands it to the tensor cores",
        "stage3_tiled_kernels",
        {Dtype::fp32, Dtype::fp64, Dtype::tf32, Dtype::bf16, Dtype::fp16},
        true,
        false,
        {one_launch(), fused_step()}},
       nullptr,
       [](const EngineOptions& options) {
         return make_tile_ops(options.dtype, options.device, options.threads);
       },
       require_tile_heads},
      {{4,
        "nanoGPT",
        "GPT-2 in tiles: LayerNorm, GELU, dropout, bf16 with master weights",
        "the same tiles train GPT-2: every pass, forward and backward, is a kernel of our own",
        "stage4_nanogpt",
        {Dtype::fp32, Dtype::fp64, Dtype::tf32, Dtype::bf16, Dtype::fp16},
        true,
        true},
       nullptr,
       [](const EngineOptions& options) {
         return make_nano_ops(options.dtype, options.device, options.threads);
       },
       require_tile_heads},
  };
  return all;
}

const Entry& find_entry(int number) {
  std::string valid;
  for (const Entry& entry : entries()) {
    if (entry.info.number == number) return entry;
    valid += fmt::format("{}{} ({})", valid.empty() ? "" : ", ", entry.info.number, entry.info.name);
  }
  throw InputError(fmt::format("there is no stage {}: this program contains {}", number, valid));
}

std::string dtype_list(const StageInfo& info) {
  std::string list;
  for (Dtype dtype : info.dtypes) list += (list.empty() ? "" : ", ") + std::string(name_of(dtype));
  return list;
}

}  // namespace

const std::vector<StageInfo>& stages() {
  static const std::vector<StageInfo> all = [] {
    std::vector<StageInfo> infos;
    for (const Entry& entry : entries()) infos.push_back(entry.info);
    return infos;
  }();
  return all;
}

const StageInfo& find_stage(int number) { return find_entry(number).info; }

const Variant& find_variant(int stage, const std::string& name) {
  int other = -1;
  std::string valid;
  for (const Entry& entry : entries())
    for (const Variant& variant : entry.info.variants) {
      valid += fmt::format("{}{} (stage {})", valid.empty() ? "" : ", ", variant.name, entry.info.number);
      if (variant.name != name) continue;
      if (entry.info.number == stage) return variant;
      other = entry.info.number;
    }
  require(other < 0, "--{0} is stage {1}'s: add --stage {1}, or leave it out", name, other);
  throw InputError(fmt::format("there is no variant '{}': this program contains {}", shown(name, 40), valid));
}

namespace {

const Entry& find_usable(int stage, const EngineOptions& options) {
  const Entry& entry = find_entry(stage);
  const auto& dtypes = entry.info.dtypes;
  require(std::find(dtypes.begin(), dtypes.end(), options.dtype) != dtypes.end(),
          "stage {} does not compute in {}: valid are {}", stage, name_of(options.dtype),
          dtype_list(entry.info));
  require(options.max_batch > 0, "the batch size is {}: it must be 1 or more", options.max_batch);
  if (options.device.is_gpu() && !entry.info.gpu)
    throw MachineError(fmt::format("stage {} ({}) has no kernels for a GPU: leave out --device {}", stage,
                                   entry.info.name, name_of(options.device)));
  return entry;
}

void require_architecture(const StageInfo& info, const GptConfig& config) {
  if (config.architecture != Architecture::gpt2 || info.gpt2) return;
  std::string valid;
  for (const StageInfo& stage : stages())
    if (stage.gpt2) valid += fmt::format("{}{}", valid.empty() ? "" : ", ", stage.number);
  throw InputError(
      fmt::format("stage {} ({}) does not run GPT-2: its stages are {}", info.number, info.name, valid));
}

struct EngineMaker {
  const Entry& entry;
  const Variant* variant;  ///< null: the stage's own engine
};

/// Throws InputError for what make_engine refuses.
EngineMaker find_maker(int stage, const GptConfig& config, const EngineOptions& options) {
  const Entry& entry = find_usable(stage, options);
  require_architecture(entry.info, config);
  if (entry.check_shape != nullptr) entry.check_shape(config, options.dtype);
  const Variant* variant = options.variant.empty() ? nullptr : &find_variant(stage, options.variant);
  if (variant != nullptr) variant->check(config, options);
  require(options.communicator->ranks() == 1 || (entry.make_ops != nullptr && variant == nullptr),
          "stage {}{} trains alone, not as one of {} ranks", stage,
          variant == nullptr ? "" : ", " + variant->name, options.communicator->ranks());
  return {entry, variant};
}

}  // namespace

EngineNeeds engine_needs(int stage, const GptConfig& config, const EngineOptions& options) {
  const Entry& entry = find_maker(stage, config, options).entry;
  if (entry.make_ops == nullptr)
    return {false, true, plan_scalar_memory(config, options.max_batch, options.grad_accum),
            within_memory_limits(on_cpu::available_bytes()), true};
  const std::unique_ptr<Ops> ops = entry.make_ops(options);
  const bool on_host = !entry.info.gpu || ops->emulated();
  const std::size_t available = ops->available_bytes();
  return {ops->emulated(), on_host, plan_memory(config, *ops, options.max_batch, options.grad_accum),
          on_host ? within_memory_limits(available) : available};
}

int largest_batch(int stage, const GptConfig& config, const EngineOptions& options, std::size_t bytes) {
  const Entry& entry = find_maker(stage, config, options).entry;
  const std::unique_ptr<Ops> ops = entry.make_ops == nullptr ? nullptr : entry.make_ops(options);
  return largest_batch(
      config,
      [&](int batch) {
        return ops ? plan_memory(config, *ops, batch, options.grad_accum)
                   : plan_scalar_memory(config, batch, options.grad_accum);
      },
      bytes);
}

std::unique_ptr<Engine> make_engine(int stage, const GptConfig& config, const EngineOptions& options) {
  const auto [entry, variant] = find_maker(stage, config, options);
  if (entry.make_ops == nullptr)  // an Ops judges each block that it is asked for, a tape grows where it must
    require_host_memory(plan_scalar_memory(config, options.max_batch, options.grad_accum).total(),
                        "this model on stage 0");
  auto engine = entry.make != nullptr ? entry.make(config, options)
                                      : make_ops_engine(config, entry.make_ops(options), options.max_batch,
                                                        options.communicator);
  return variant == nullptr ? std::move(engine) : variant->make(std::move(engine), options);
}

std::unique_ptr<Ops> make_ops(int stage, const EngineOptions& options) {
  const Entry& entry = find_usable(stage, options);
  require(entry.make_ops != nullptr, "stage {} ({}) has no operations on tensors: name a stage from 1 on",
          stage, entry.info.name);
  return entry.make_ops(options);
}

}  // namespace ladder
