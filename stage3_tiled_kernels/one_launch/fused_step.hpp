// A training step of microGPT in two launches, for any number of documents: the host's side.
#pragma once

#include <memory>
#include <span>

#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

namespace ladder {

/// A model in a device's memory, trained a step at a time, a block a document.
class FusedStep {
 public:
  virtual ~FusedStep() = default;

  virtual void load_parameters(const TensorList& parameters) = 0;
  /// In the type that the kernels compute in, as are moments().
  virtual TensorList parameters() const = 0;
  virtual void load_moments(const Moments& moments) = 0;
  virtual Moments moments() const = 0;

  /// One step on documents as documents_of() lays them out; the mean of their losses before the update. Throws
  /// MachineError when a larger step finds no memory; after that only the destructor may be called.
  virtual double step(const StepDocuments& documents, const StepConstants& adam) = 0;

  virtual bool emulated() const = 0;
  virtual std::vector<std::string> kernels_launched() const = 0;
};

/// Throws InputError naming the first thing that a fused step cannot do: a type other than fp32 and fp64, a width,
/// block or vocabulary that does not fit into the kernel's tiles.
void require_fused_step(const GptConfig& config, Dtype dtype);

/// An engine of stage 3 whose train_step() is two launches; everything else (losses without training, probes, logits)
/// it leaves to `by_operation`, an engine of the same model and type. Throws what require_fused_step and make_tile_ops
/// throw. Memory for `max_batch` documents is taken now; each holds a gradient of every parameter, so a step of several
/// micro-batches takes that much more.
std::unique_ptr<Engine> make_fused_step_engine(std::unique_ptr<Engine> by_operation,
                                               const CudaOptions& options, int max_batch);

// ---- between the two halves of the implementation ---------------------------------------------------------

namespace on_cpu::stage3 {
std::unique_ptr<FusedStep> make_fused_step(const GptConfig& config, const CudaOptions& options,
                                           int max_batch);
}
namespace on_gpu::stage3 {
std::unique_ptr<FusedStep> make_fused_step(const GptConfig& config, const CudaOptions& options,
                                           int max_batch);
}

}  // namespace ladder
