// The half on the device: memory, and the launch. nvcc compiles this text for the GPU, the C++ compiler for the CPU
// model.
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

#include <cmath>

#include "shared/dtype_convert.hpp"
#include "stage3_tiled_kernels/one_launch/train_kernel.cuh"

#ifdef __CUDACC__
#include "shared/simt/cuda_runtime.hpp"
#else
#include "shared/simt/cpu_runtime.hpp"
#endif

namespace ladder::LADDER_SIDE::stage3 {
namespace {

/// Calls body.operator()<T, C, V>() with the tiles that hold the model.
template <class Body>
void with_tiles(const GptConfig& config, Body&& body) {
  switch (tile_sizes(config).width) {
    case 16:
      return body.template operator()<16, 16, 32>();
    case 32:
      return body.template operator()<16, 32, 32>();
    default:
      return body.template operator()<16, 64, 32>();
  }
}

/// Wide tiles of doubles do not fit into a GPU's registers: the compiler takes long to spill them.
template <class E, int C>
inline constexpr bool kHolds = Runtime::kEmulated || sizeof(E) == 4 || C == 16;

/// Few: the narrowest, whose layers have their hidden channels in one part, and the widest, which has them in several.
template <class E, int C>
inline constexpr bool kHasWidth = kHolds<E, C> && (!kFewInstantiations || (kHasKernels<E> && C != 32));

template <class E>
class DeviceModel final : public OneLaunch {
 public:
  DeviceModel(const GptConfig& config, const CudaOptions& options)
      : config_(config), runtime_(options.threads, false), count_(padded_count(config)) {
    with_tiles(config, [&]<int T, int C, int V>() {
      require((kHolds<E, C>),
              "--one-launch: a width of {} in fp64 on a GPU: it holds up to 16; take fp32, or --device cpu",
              config.n_embd);
      require((kHasWidth<E, C>), "--one-launch: this build has no kernel for a width of {} in {}",
              config.n_embd, name_of(dtype_of<E>));
    });
    const TileSizes tiles = tile_sizes(config);
    const int inputs = config.n_layer * tiles.block * tiles.width;
    for (E** buffer : {&weight_, &m_, &v_}) *buffer = allocate<E>(count_);
    inputs_ = allocate<E>(static_cast<std::size_t>(inputs));
  }

  void load(const TensorList& parameters, const Moments& moments) override {
    upload(weight_, pad(config_, parameters));
    if (moments.m.empty()) {
      for (E* buffer : {m_, v_}) runtime_.zero(buffer, count_ * sizeof(E));
    } else {
      upload(m_, pad(config_, moments.m));
      upload(v_, pad(config_, moments.v));
    }
  }
  TensorList parameters() const override { return unpad(config_, download(weight_, count_)); }
  Moments moments() const override {
    return {unpad(config_, download(m_, count_)), unpad(config_, download(v_, count_))};
  }

  std::vector<double> run(const TokenSource& source, const TrainConfig& train, std::int64_t first,
                          std::int64_t count) override {
    if (count <= 0) return {};
    const StepData data = step_data(config_, source, train, first, count);
    reserve(data);
    runtime_.upload(tokens_, data.tokens_st.data(), data.tokens_st.size() * sizeof(std::int32_t));
    runtime_.upload(targets_, data.targets_st.data(), data.targets_st.size() * sizeof(std::int32_t));
    upload(rates_, data.rates_s);
    const auto scale = static_cast<E>(1.0 / std::sqrt(static_cast<double>(config_.head_dim())));
    const auto per_column = static_cast<E>(1.0 / config_.n_embd);
    with_tiles(config_, [&]<int T, int C, int V>() {
      if constexpr (kHasWidth<E, C>) {
        launch(runtime_.stream(), train_kernel<E, T, C, V>, {"one_launch_train", {1}},
               static_cast<int>(count), config_.n_layer, config_.n_embd, config_.n_head, config_.kv_heads(),
               config_.vocab_size, scale, per_column, tokens_, targets_, rates_, weight_, m_, v_, inputs_,
               loss_);
      }
    });
    return download(loss_, static_cast<std::size_t>(count));
  }

  bool emulated() const override { return Runtime::kEmulated; }
  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = runtime_.stream().kernels();
    for (std::string& kernel : names) kernel.insert(0, "stage3.");
    return names;
  }

 private:
  template <class T>
  T* allocate(std::size_t count) {
    return static_cast<T*>(runtime_.allocate(count * sizeof(T)));
  }

  /// Room for a run's documents, rates and losses; taken again only by a longer run.
  void reserve(const StepData& data) {
    if (data.rates_s.size() <= reserved_) return;
    reserved_ = data.rates_s.size();
    tokens_ = allocate<std::int32_t>(data.tokens_st.size());
    targets_ = allocate<std::int32_t>(data.targets_st.size());
    rates_ = allocate<E>(data.rates_s.size());
    loss_ = allocate<E>(data.rates_s.size() / kRates);
  }

  void upload(E* destination, const std::vector<double>& values) {
    std::vector<E> converted(values.size());
    encode(dtype_of<E>, values, converted.data());
    runtime_.upload(destination, converted.data(), converted.size() * sizeof(E));
  }
  std::vector<double> download(const E* source, std::size_t count) const {
    std::vector<E> raw(count);
    runtime_.download(raw.data(), source, count * sizeof(E));
    return {raw.begin(), raw.end()};
  }

  GptConfig config_;
  mutable Runtime runtime_;  ///< reading waits for the device, which is no change to the model
  std::size_t count_, reserved_ = 0;
  E *weight_ = nullptr, *m_ = nullptr, *v_ = nullptr, *inputs_ = nullptr, *rates_ = nullptr, *loss_ = nullptr;
  std::int32_t *tokens_ = nullptr, *targets_ = nullptr;
};

}  // namespace

std::unique_ptr<OneLaunch> make_one_launch(const GptConfig& config, const CudaOptions& options) {
  if (options.dtype == Dtype::fp64) return std::make_unique<DeviceModel<double>>(config, options);
  return std::make_unique<DeviceModel<float>>(config, options);
}

}  // namespace ladder::LADDER_SIDE::stage3
