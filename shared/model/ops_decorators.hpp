// Decorators over Ops: the same step with something watching each operation. Profiling and a guard against NaN.
//
// A decorated step is never captured: run_step calls the body directly, so that each operation can be timed
// or looked at on its own. A fused operation is one operation here, whatever the stage makes of it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/model/cost.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

/// A matrix that an operation has written: rows of `columns` elements, `stride` elements apart.
struct OutputView {
  std::string_view name;  ///< the member of the argument struct, "y_no"
  const void* data;
  Dtype dtype;
  std::size_t rows, columns, stride;
};

/// What an operation writes: every element of each is a number afterwards.
std::vector<OutputView> outputs(const EmbeddingForward&);
std::vector<OutputView> outputs(const EmbeddingBackward&);
std::vector<OutputView> outputs(const RmsNormForward&);
std::vector<OutputView> outputs(const RmsNormBackward&);
std::vector<OutputView> outputs(const LinearForward&);
std::vector<OutputView> outputs(const LinearBackwardInput&);
std::vector<OutputView> outputs(const LinearBackwardWeight&);
std::vector<OutputView> outputs(const AttentionForward&);
std::vector<OutputView> outputs(const AttentionBackward&);
std::vector<OutputView> outputs(const ReluForward&);
std::vector<OutputView> outputs(const ReluBackward&);
std::vector<OutputView> outputs(const ResidualForward&);
std::vector<OutputView> outputs(const CrossEntropy&);
std::vector<OutputView> outputs(const GradientSquares&);
std::vector<OutputView> outputs(const Adam&);
std::vector<OutputView> outputs(const RmsNormLinearForward&);
std::vector<OutputView> outputs(const RmsNormLinearBackward&);
std::vector<OutputView> outputs(const LinearResidualForward&);
std::vector<OutputView> outputs(const LinearBackwardInputRelu&);
std::vector<OutputView> outputs(const LayerNormForward&);
std::vector<OutputView> outputs(const LayerNormBackward&);
std::vector<OutputView> outputs(const LinearBiasForward&);
std::vector<OutputView> outputs(const LinearGeluForward&);
std::vector<OutputView> outputs(const LinearBackwardInputGelu&);
std::vector<OutputView> outputs(const BiasBackward&);
std::vector<OutputView> outputs(const ApplyDropout&);
std::vector<OutputView> outputs(const DropoutAttentionForward&);
std::vector<OutputView> outputs(const DropoutAttentionBackward&);
std::vector<OutputView> outputs(const ResidualLayerNormForward&);
std::vector<OutputView> outputs(const ResidualLayerNormBackward&);

/// One call of an operation.
struct OpCall {
  std::string_view name;
  Cost cost;
  std::function<void()> run;
  std::vector<OutputView> outputs;
  const BatchView* batch = nullptr;  ///< its batch, if it has one
};

/// Forwards everything to `inner`; each operation goes through around().
class OpsDecorator : public PassesOn<OpsDecorator, Ops, AllOperations> {
 public:
  explicit OpsDecorator(std::unique_ptr<Ops> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  Dtype dtype() const override { return inner_->dtype(); }
  Layout layout() const override { return inner_->layout(); }
  bool emulated() const override { return inner_->emulated(); }
  std::vector<std::string> kernels_launched() const override { return inner_->kernels_launched(); }
  void* allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  void upload(void* to, const void* host, std::size_t bytes) override { inner_->upload(to, host, bytes); }
  void download(void* host, const void* from, std::size_t bytes) override {
    inner_->download(host, from, bytes);
  }
  void zero(void* destination, std::size_t bytes) override { inner_->zero(destination, bytes); }
  std::size_t attention_scratch_bytes(int rows, int heads, int max_length) const override {
    return inner_->attention_scratch_bytes(rows, heads, max_length);
  }
  void synchronize() override { inner_->synchronize(); }
  double bytes_requested() const override { return inner_->bytes_requested(); }
  void run_step(const StepKey&, const std::function<void()>& body) override { body(); }

  void in_order(const std::function<void(void* queue)>& work) override { inner_->in_order(work); }

  /// What becomes of every operation.
  template <class Args>
  void pass(const Args& a) {
    OpCall call{Args::kName, cost(a), [&] { inner_->run(a); }, outputs(a)};
    if constexpr (requires { a.batch; }) call.batch = &a.batch;
    if constexpr (requires { a.plain.batch; }) call.batch = &a.plain.batch;
    around(call);
  }

 protected:
  /// Must call call.run() once.
  virtual void around(const OpCall& call) = 0;
  Ops& inner() const { return *inner_; }

 private:
  std::unique_ptr<Ops> inner_;
};

/// What one kind of operation took in all calls so far. Seconds are wall time
/// between two synchronize() calls.
struct OpProfile {
  std::string name;
  int calls = 0;
  double total_seconds = 0.0;
  double median_seconds = 0.0;
  Cost cost;                     ///< of all calls together
  double bytes_requested = 0.0;  ///< of all calls together; see Ops::bytes_requested()
};

class ProfilingOps final : public OpsDecorator {
 public:
  using OpsDecorator::OpsDecorator;

  /// One entry a kind of operation, the most expensive first.
  std::vector<OpProfile> report() const;
  /// Forgets all calls, for instance those of the warm-up.
  void reset() { kinds_.clear(); }

 private:
  struct Kind {
    Cost cost;
    double bytes_requested = 0.0;
    std::vector<double> seconds;
  };
  void around(const OpCall& call) override;

  std::map<std::string, Kind, std::less<>> kinds_;
};

/// Reads back every output of every operation and stops at the first that is not finite.
class NanGuardOps final : public OpsDecorator {
 public:
  using OpsDecorator::OpsDecorator;

 private:
  /// Throws CheckError naming operation, output, row, column and value, in a step also the step and its micro-batch.
  void around(const OpCall& call) override;

  int calls_ = 0;
  std::string where_;  ///< "step 3, micro-batch 2, ", or nothing outside a step
};

}  // namespace ladder
