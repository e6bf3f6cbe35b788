// Training in one launch, the half on the device. nvcc compiles this text for the GPU, the C++
// compiler for the CPU model.
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"
#include "stage3_tiled_kernels/one_launch/padded_model.hpp"
#include "stage3_tiled_kernels/one_launch/train_kernel.cuh"

namespace ladder::LADDER_SIDE::stage3 {
namespace {

template <class E>
class DeviceModel final : public OneLaunch {
 public:
  DeviceModel(const GptConfig& config, const CudaOptions& options)
      : config_(config), runtime_(options), model_(config, runtime_) {
    require_width<E>(config, "--one-launch");
    inputs_ = model_.template allocate<E>(layer_inputs(config));
  }

  void load(const TensorList& parameters, const Moments& moments) override {
    model_.load_parameters(parameters);
    if (moments.m.empty())
      model_.zero_moments();
    else
      model_.load_moments(moments);
  }
  TensorList parameters() const override { return model_.parameters(); }
  Moments moments() const override { return model_.moments(); }

  std::vector<double> run(const StepData& data) override {
    if (data.count == 0) return {};
    reserve(data);
    runtime_.upload(tokens_, data.tokens_st.data(), data.tokens_st.size() * sizeof(std::int32_t));
    runtime_.upload(targets_, data.targets_st.data(), data.targets_st.size() * sizeof(std::int32_t));
    model_.upload(rates_, data.rates_s);
    with_tiles(config_, [&]<int T, int C, int V>() {
      if constexpr (kHasWidth<E, C>) {
        launch(runtime_.stream(), train_kernel<E, T, C, V>, {"one_launch_train", {1}},
               static_cast<int>(data.count), config_.n_layer, config_.n_embd, config_.n_head,
               config_.kv_heads(), config_.vocab_size, model_.scale(), model_.per_column(), tokens_, targets_,
               rates_, model_.weight, model_.m, model_.v, inputs_, loss_);
      }
    });
    return model_.download(loss_, static_cast<std::size_t>(data.count));
  }

  bool emulated() const override { return Runtime::kEmulated; }
  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = runtime_.stream().kernels();
    for (std::string& kernel : names) kernel.insert(0, "stage3.");
    return names;
  }

 private:
  /// Room for a run's documents, rates and losses; taken again only by a longer run.
  void reserve(const StepData& data) {
    if (data.rates_s.size() <= reserved_) return;
    tokens_ = model_.template allocate<std::int32_t>(data.tokens_st.size());
    targets_ = model_.template allocate<std::int32_t>(data.targets_st.size());
    rates_ = model_.template allocate<E>(data.rates_s.size());
    loss_ = model_.template allocate<E>(data.rates_s.size() / kRates);
    reserved_ = data.rates_s.size();  // last: an allocation that throws leaves the old size
  }

  GptConfig config_;
  Runtime runtime_;
  PaddedModel<E> model_;
  std::size_t reserved_ = 0;
  E *inputs_ = nullptr, *rates_ = nullptr, *loss_ = nullptr;
  std::int32_t *tokens_ = nullptr, *targets_ = nullptr;
};

}  // namespace

std::unique_ptr<OneLaunch> make_one_launch(const GptConfig& config, const CudaOptions& options) {
  if (options.dtype == Dtype::fp64) return std::make_unique<DeviceModel<double>>(config, options);
  return std::make_unique<DeviceModel<float>>(config, options);
}

}  // namespace ladder::LADDER_SIDE::stage3
