// A step in two launches, the half on the device. nvcc compiles this text for the GPU, the C++
// compiler for the CPU model.
#include <array>
#include <cstring>
#include <limits>
#include <numeric>

#include "shared/base/checked_size.hpp"
#include "stage3_tiled_kernels/one_launch/document_kernel.cuh"
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"
#include "stage3_tiled_kernels/one_launch/padded_model.hpp"

namespace ladder::LADDER_SIDE::stage3 {
namespace {

template <class E>
class DeviceFusedStep final : public FusedStep {
 public:
  DeviceFusedStep(const GptConfig& config, const CudaOptions& options, int max_batch)
      : config_(config), runtime_(options), model_(config, runtime_) {
    require_width<E>(config, "--fused-step");
    lay_out();
    reserve(max_batch);
  }

  void load_parameters(const TensorList& parameters) override { model_.load_parameters(parameters); }
  TensorList parameters() const override { return model_.parameters(); }
  void load_moments(const Moments& moments) override { model_.load_moments(moments); }
  Moments moments() const override { return model_.moments(); }

  double step(const StepDocuments& documents, const StepConstants& adam) override {
    reserve(documents.count);
    upload(documents, adam);
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
  static constexpr std::size_t kRatesBytes = kRates * sizeof(E);

  /// All that a step reads from the host, in one copy: a copy costs microseconds, whatever it holds.
  void upload(const StepDocuments& documents, const StepConstants& adam) {
    const std::array<double, kRates> rates = rates_of(adam);
    const std::size_t bytes = documents.tokens_bt.size() * sizeof(std::int32_t);
    staging_.resize(kRatesBytes + 2 * bytes);
    encode(dtype_of<E>, rates, staging_.data());
    std::memcpy(staging_.data() + kRatesBytes, documents.tokens_bt.data(), bytes);
    std::memcpy(staging_.data() + kRatesBytes + bytes, documents.targets_bt.data(), bytes);
    runtime_.upload(input_, staging_.data(), staging_.size());
  }
  const E* rates() const { return reinterpret_cast<const E*>(input_); }
  const std::int32_t* tokens() const { return reinterpret_cast<const std::int32_t*>(input_ + kRatesBytes); }

  /// Room for a step's documents and what is made of them; taken again only by a step of more micro-batches.
  /// After an allocation that throws, recorded steps and new buffers no longer belong together: the object is done.
  void reserve(int documents) {
    if (documents <= capacity_) return;
    const auto count = static_cast<std::size_t>(documents);
    const TileSizes tiles = tile_sizes(config_);
    const auto block = static_cast<std::size_t>(tiles.block);
    const std::int64_t factors = std::int64_t{documents} * tiles.block * columns_;
    require(factors <= std::numeric_limits<std::int32_t>::max(),
            "--fused-step: what {} documents leave behind, {} numbers, is more than the kernel can count",
            documents, factors);
    const std::size_t tokens = checked_product({2, count, block, sizeof(std::int32_t)}, "a step's tokens");
    input_ = model_.template allocate<std::byte>(checked_sum({kRatesBytes, tokens}, "a step's input"));
    loss_ = model_.template allocate<E>(count);
    inputs_ =
        model_.template allocate<E>(checked_product({count, layer_inputs(config_)}, "the layers' inputs"));
    factors_ = model_.template allocate<E>(static_cast<std::size_t>(factors));
    capacity_ = documents;
  }

  /// What the second launch's blocks own; the same for every step.
  void lay_out() {
    with_tiles(config_, [&]<int T, int C, int V>() {
      using S = StepTiles<C>;
      const std::vector<GradientTile> tiles = gradient_tiles<T, C, V, S::kRows, S::kColumns>(config_.n_layer);
      columns_ = factor_columns<T, C, V>(config_.n_layer);
      blocks_ = static_cast<unsigned>(tiles.size());
      tiles_ = model_.template allocate<std::int32_t>(4 * tiles.size());
      runtime_.upload(tiles_, tiles.data(), tiles.size() * sizeof(GradientTile));
    });
  }

  void enqueue(int documents) {
    with_tiles(config_, [&]<int T, int C, int V>() {
      if constexpr (kHasWidth<E, C>) {
        using S = StepTiles<C>;
        launch(runtime_.stream(), document_kernel<E, kDocumentProducts<C>, kDocumentWarps, T, C, V>,
               {"document", {static_cast<unsigned>(documents)}}, columns_, config_.n_layer, config_.n_embd,
               config_.n_head, config_.kv_heads(), config_.vocab_size, model_.scale(), model_.per_column(),
               static_cast<E>(1.0 / documents), tokens(), tokens() + documents * T, model_.weight, inputs_,
               factors_, loss_);
        launch(runtime_.stream(),
               document_step_kernel<E, kDocumentProducts<C>, S::kInner, S::kRows, S::kColumns>,
               {"document_step", {blocks_}}, documents * T, columns_, tiles_, factors_, rates(),
               model_.weight, model_.m, model_.v);
      }
    });
  }

  GptConfig config_;
  Runtime runtime_;
  PaddedModel<E> model_;
  int capacity_ = 0, columns_ = 0;
  unsigned blocks_ = 0;
  std::byte* input_ = nullptr;  ///< rates, tokens and targets of the step being run
  std::vector<std::byte> staging_;
  E *inputs_ = nullptr, *factors_ = nullptr, *loss_ = nullptr;
  std::int32_t* tiles_ = nullptr;
};

}  // namespace

std::unique_ptr<FusedStep> make_fused_step(const GptConfig& config, const CudaOptions& options,
                                           int max_batch) {
  if (options.dtype == Dtype::fp64)
    return std::make_unique<DeviceFusedStep<double>>(config, options, max_batch);
  return std::make_unique<DeviceFusedStep<float>>(config, options, max_batch);
}

}  // namespace ladder::LADDER_SIDE::stage3
