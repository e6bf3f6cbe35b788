// Training microGPT in one launch: the host's side.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared/train/engine.hpp"
#include "stage3_tiled_kernels/ops_tile.hpp"

namespace ladder {

struct StepData;

/// A model in a device's memory, trained many steps a launch.
class OneLaunch {
 public:
  virtual ~OneLaunch() = default;

  /// `parameters` and `moments` as an Engine of the same model gives them; no moments: zeros.
  virtual void load(const TensorList& parameters, const Moments& moments) = 0;
  /// In the type that the kernels compute in, as are moments().
  virtual TensorList parameters() const = 0;
  virtual Moments moments() const = 0;

  /// Trains the steps that step_data() has laid out in one launch; the loss of each.
  virtual std::vector<double> run(const StepData& data) = 0;

  virtual bool emulated() const = 0;
  virtual std::vector<std::string> kernels_launched() const = 0;
};

/// Most steps of one launch: a stop is answered and the losses are shown between launches.
inline constexpr std::int64_t kStepsPerLaunch = 5000;

/// Throws InputError naming the first thing that one launch cannot do: a type other than fp32 and fp64, more than one
/// sequence a step, a width, block or vocabulary that does not fit into the kernel's tiles.
void require_one_launch(const GptConfig& config, Dtype dtype, std::int64_t sequences);

/// The kernel on the device that options name, as make_tile_ops chooses it. Throws what require_one_launch and
/// make_tile_ops throw.
std::unique_ptr<OneLaunch> make_one_launch(const GptConfig& config, const CudaOptions& options);

/// An engine of stage 3 that trains kStepsPerLaunch steps at a time, each on one sequence, in one launch; what it holds
/// between launches, and everything else, is that of `by_operation`, an engine of the same model and type. A loss that
/// is not finite leaves it at the state before that launch. Throws what make_one_launch throws.
std::unique_ptr<Engine> make_one_launch_engine(std::unique_ptr<Engine> by_operation,
                                               const CudaOptions& options);

// ---- between the two halves of the implementation ---------------------------------------------------------

/// Extents of the tiles that hold a model: block, width and vocabulary rounded up to an instantiated kernel's.
struct TileSizes {
  int block, width, vocabulary;
};

/// The smallest of the instantiated kernels that holds the model. Throws InputError where none does; `flag` is what
/// asked for it.
TileSizes tile_sizes(const GptConfig& config, const char* flag = "--one-launch");

/// Calls body.operator()<T, C, V>() with the tiles that hold the model; what it returns.
template <class Body>
auto with_tiles(const GptConfig& config, Body&& body) {
  switch (tile_sizes(config).width) {
    case 16:
      return body.template operator()<16, 16, 32>();
    case 32:
      return body.template operator()<16, 32, 32>();
    default:
      return body.template operator()<16, 64, 32>();
  }
}

/// Elements of what a document leaves at the inputs of all layers: [n_layer, block, width], padded.
std::size_t layer_inputs(const GptConfig& config);
/// Elements of a padded model; the layout is layout.hpp's.
std::size_t padded_count(const GptConfig& config);
/// A model's tensors, of any type, laid out with padding; and back, rounded to `dtype`.
std::vector<double> pad(const GptConfig& config, const TensorList& tensors);
TensorList unpad(const GptConfig& config, const std::vector<double>& padded, Dtype dtype);

/// The eight numbers of Adam that the kernels read, in the order of memory.hpp's Rates.
std::array<double, 8> rates_of(const StepConstants& adam);

/// B documents in rows of the kernel's T positions, -1 behind a document's end.
struct StepDocuments {
  int count = 0;
  std::vector<std::int32_t> tokens_bt, targets_bt;
};

/// All sequences of a step's micro-batches. Throws InputError for a token or target outside the vocabulary and for a
/// sequence that is longer than the block.
StepDocuments documents_of(const GptConfig& config, std::span<const Batch> micro_batches);

/// What the kernel of one launch reads: T tokens and T targets a step, and eight numbers of Adam.
struct StepData {
  std::int64_t count = 0;  ///< steps
  std::vector<std::int32_t> tokens_st, targets_st;
  std::vector<double> rates_s;
};

/// Throws what documents_of throws, and InputError for a step of more than one sequence.
StepData step_data(const GptConfig& config, std::span<const StepInput> steps);

namespace on_cpu::stage3 {
std::unique_ptr<OneLaunch> make_one_launch(const GptConfig& config, const CudaOptions& options);
}
namespace on_gpu::stage3 {
std::unique_ptr<OneLaunch> make_one_launch(const GptConfig& config, const CudaOptions& options);
}

}  // namespace ladder
