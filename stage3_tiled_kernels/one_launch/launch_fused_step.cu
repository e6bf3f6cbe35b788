// A step in two launches, the half on the device. nvcc compiles this text for the GPU, the C++ compiler for the CPU
// model.
#include <numeric>

#include "stage3_tiled_kernels/one_launch/document_kernel.cuh"
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"
#include "stage3_tiled_kernels/one_launch/padded_model.hpp"

namespace ladder::LADDER_SIDE::stage3 {
namespace {

template <class E>
class DeviceFusedStep final : public FusedStep {
 public:
  DeviceFusedStep(const GptConfig& config, const CudaOptions& options)
      : config_(config), runtime_(options.threads, options.graphs), model_(config, runtime_) {
    require_width<E>(config, "--fused-step");
    rates_ = model_.template allocate<E>(kRates);
  }

  void load_parameters(const TensorList& parameters) override { model_.load_parameters(parameters); }
  TensorList parameters() const override { return model_.parameters(); }
  void load_moments(const Moments& moments) override { model_.load_moments(moments); }
  Moments moments() const override { return model_.moments(); }

  double step(const StepDocuments& documents, const AdamStep& adam) override {
    reserve(documents);
    const std::size_t bytes = documents.tokens_bt.size() * sizeof(std::int32_t);
    runtime_.upload(tokens_, documents.tokens_bt.data(), bytes);
    runtime_.upload(targets_, documents.targets_bt.data(), bytes);
    model_.upload(rates_, rates_of(adam));
    // The capacity says which buffers a recorded step uses.
    runtime_.run_step({documents.count, capacity_, 0, 1}, [&] { enqueue(documents.count); });
    const std::vector<double> losses = model_.download(loss_, static_cast<std::size_t>(documents.count));
    return std::accumulate(losses.begin(), losses.end(), 0.0);
  }

  bool emulated() const override { return Runtime::kEmulated; }
  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = runtime_.stream().kernels();
    for (std::string& kernel : names) kernel.insert(0, "stage3.");
    return names;
  }

 private:
  /// Room for a step's documents and what is made of them; taken again only by a larger step.
  void reserve(const StepDocuments& documents) {
    if (documents.count <= capacity_) return;
    capacity_ = documents.count;
    const auto count = static_cast<std::size_t>(capacity_);
    const TileSizes tiles = tile_sizes(config_);
    const auto input = static_cast<std::size_t>(config_.n_layer * tiles.block * tiles.width);
    tokens_ = model_.template allocate<std::int32_t>(documents.tokens_bt.size());
    targets_ = model_.template allocate<std::int32_t>(documents.targets_bt.size());
    loss_ = model_.template allocate<E>(count);
    inputs_ = model_.template allocate<E>(count * input);
    grad_ = model_.template allocate<E>(count * static_cast<std::size_t>(model_.count()));
  }

  void enqueue(int documents) {
    with_tiles(config_, [&]<int T, int C, int V>() {
      if constexpr (kHasWidth<E, C>) {
        launch(runtime_.stream(), document_kernel<E, kDocumentProducts<C>, kDocumentWarps, T, C, V>,
               {"document", {static_cast<unsigned>(documents)}}, model_.count(), config_.n_layer,
               config_.n_embd, config_.n_head, config_.kv_heads(), config_.vocab_size, model_.scale(),
               model_.per_column(), static_cast<E>(1.0 / documents), tokens_, targets_, model_.weight,
               inputs_, grad_, loss_);
      }
    });
    launch(runtime_.stream(), document_step_kernel<E, kStepDocuments, kStepParameters>,
           {"document_step", {blocks_for(model_.count(), kStepParameters)}}, documents, model_.count(), grad_,
           rates_, model_.weight, model_.m, model_.v);
  }

  GptConfig config_;
  Runtime runtime_;
  PaddedModel<E> model_;
  int capacity_ = 0;
  E *rates_ = nullptr, *inputs_ = nullptr, *grad_ = nullptr, *loss_ = nullptr;
  std::int32_t *tokens_ = nullptr, *targets_ = nullptr;
};

}  // namespace

std::unique_ptr<FusedStep> make_fused_step(const GptConfig& config, const CudaOptions& options) {
  if (options.dtype == Dtype::fp64) return std::make_unique<DeviceFusedStep<double>>(config, options);
  return std::make_unique<DeviceFusedStep<float>>(config, options);
}

}  // namespace ladder::LADDER_SIDE::stage3
