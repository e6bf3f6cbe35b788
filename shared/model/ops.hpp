// The Ops contract: what a stage must be able to compute. One argument struct an operation, in microgpt_ops.hpp, and in
// gpt2_ops.hpp for GPT-2.
//
// Stages 1 to 4 share the model text (microgpt.cpp) and supply an Ops each: they re-implement every operation, the
// memory and the optimizer step. Chosen at run time, so that Eigen, CUDA and tile headers never meet in one translation
// unit; decorators over Ops give profiling and a NaN guard.
//
// Shape legend, used as a suffix of every tensor name (d in front means the gradient of the loss by it):
//   b  sequence of the batch (B)             n  row: one position of one sequence (N rows, see batch.hpp)
//   c  channel of the residual stream (C)    v  vocabulary entry (V)
//   h  query head (H)    k  key/value head (K)    d  channel of a head (D)
//   t  position, or key position (T)         p  packed query, key, value channel (P = (H + 2K) * D)
//   i  input channel, o  output channel of a linear layer: y_no = x_ni W_oi^T
//   f  hidden channel of the MLP (F = 4C)
// All matrices are row-major and dense unless a row stride is named.
//
// Rules for every implementation: outputs are overwritten unless the comment says "+="; padding rows (sequence -1)
// get zeros; no floating-point atomics, so the same call gives the same bits on the same machine.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/model/gpt2_ops.hpp"
#include "shared/model/microgpt_ops.hpp"
#include "shared/model/operation_list.hpp"

namespace ladder {

/// What distinguishes one captured step from another: same key, same launches with the same pointers.
struct StepKey {
  int batch, rows, max_length, micro_batches;
  bool full = false;   ///< as in every BatchView of the step
  bool clips = false;  ///< the gradient's norm is taken before the update
  double loss_scale = 1.0;
  bool operator==(const StepKey&) const = default;
};

/// What GPT-2 needs besides; a stage may do without (see Ops::pass).
using AllOperations = Joined<Operations, Gpt2Operations>;

class Ops : public PassesOn<Ops, Runs<AllOperations>, Gpt2Operations> {
 public:
  Ops() = default;
  Ops(const Ops&) = delete;
  Ops& operator=(const Ops&) = delete;
  virtual ~Ops() = default;

  virtual std::string name() const = 0;  ///< "eigen", "cuda", "tile", ...
  virtual Dtype dtype() const = 0;
  virtual Layout layout() const = 0;
  virtual bool emulated() const { return false; }
  virtual std::vector<std::string> kernels_launched() const { return {}; }

  // Memory. The model asks once, before the first step; a step allocates nothing.
  /// 256-byte aligned, zeroed, released with the Ops. Throws MachineError saying how much was asked for and is free.
  virtual void* allocate(std::size_t bytes) = 0;
  /// How much can still be taken; 0 where the machine does not say.
  virtual std::size_t available_bytes() const { return 0; }
  virtual void upload(void* destination, const void* host, std::size_t bytes) = 0;
  /// Waits for all earlier work, then copies.
  virtual void download(void* host, const void* source, std::size_t bytes) = 0;
  virtual void zero(void* destination, std::size_t bytes) = 0;
  /// Waits for all earlier work; nothing to do where operations return when they are done.
  virtual void synchronize() {}
  /// Bytes that all kernels so far have asked memory for, repeats included; 0 where a stage does not count them.
  virtual double bytes_requested() const { return 0.0; }
  /// Bytes of AttentionForward::scratch for one layer at the largest batch; 0 where none is needed.
  virtual std::size_t attention_scratch_bytes(int rows, int heads, int max_length) const = 0;

  /// Calls work(queue) in its place among the launches, for what is not an operation: `queue` is the stage's stream
  /// (a cudaStream_t), null where operations are done when they return. Not called while launches are only counted.
  virtual void in_order(const std::function<void(void* queue)>& work) { work(nullptr); }

  /// Runs `body`, the launches of one step. A stage may record them once per key and replay them afterwards.
  virtual void run_step(const StepKey& key, const std::function<void()>& body) {
    (void)key;
    body();
  }

  // The plain operations are a stage's own. The fused ones have compositions of them here (ops.cpp), which a stage
  // overrides where it can do better.
  using PassesOn<Ops, Runs<AllOperations>, Gpt2Operations>::run;
  void run(const RmsNormLinearForward& args) override;
  void run(const RmsNormLinearBackward& args) override;
  void run(const LinearResidualForward& args) override;
  void run(const LinearBackwardInputRelu& args) override;
  void run(const ResidualLayerNormForward& args) override;
  void run(const ResidualLayerNormBackward& args) override;

  /// What becomes of an operation of GPT-2 that a stage does not override: InputError.
  template <class Args>
  void pass(const Args&) {
    throw InputError(
        fmt::format("stage '{}' has no operation {}: it does not run GPT-2", name(), Args::kName));
  }
};

/// RMSNorm's epsilon, the constant of the original.
inline constexpr double kRmsNormEpsilon = 1e-5;
/// LayerNorm's, GPT-2's constant.
inline constexpr double kLayerNormEpsilon = 1e-5;
/// Where the sum of a row's squares overflows (fp32: beyond 2^128), x times this power of two is squared instead, which
/// rounds nothing; epsilon is then too small to count.
inline constexpr double kRmsNormRescue = 0x1p-80;
/// The log-sum-exp of an empty row; applied in fp32 or wider. No stage's kernel masks scores by it, since real ones
/// may be lower; the rungs of stage 3's attention ladder, written before that was seen, still do.
inline constexpr double kMaskValue = -1e20;

}  // namespace ladder
