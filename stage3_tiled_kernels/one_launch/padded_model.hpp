// A padded model in a device's memory: parameters and moments, to the device and back.
#pragma once

#include "shared/base/checked_size.hpp"
#include "shared/base/dtype_convert.hpp"
#include "stage3_tiled_kernels/kernels/element_type.hpp"
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

#ifdef __CUDACC__
#include "shared/device/cuda_runtime.hpp"
#else
#include "shared/device/cpu_runtime.hpp"
#endif

namespace ladder::LADDER_SIDE::stage3 {

/// Wide tiles of doubles do not fit into a GPU's registers: the compiler takes long to spill them.
template <class E, int C>
inline constexpr bool kHolds = Runtime::kEmulated || sizeof(E) == 4 || C == 16;

/// Few: the narrowest, whose layers have their hidden channels in one part, and the widest, which has them in several.
template <class E, int C>
inline constexpr bool kHasWidth = kHolds<E, C> && (!kFewInstantiations || (kHasKernels<E> && C != 32));

/// Throws InputError where no kernel of this build holds the model in E; `flag` is what asked for it.
template <class E>
void require_width(const GptConfig& config, const char* flag) {
  with_tiles(config, [&]<int T, int C, int V>() {
    require((kHolds<E, C>),
            "{}: a width of {} in fp64 on a GPU: it holds up to 16; take fp32, or --device cpu", flag,
            config.n_embd);
    require((kHasWidth<E, C>), "{}: this build has no kernel for a width of {} in {}", flag, config.n_embd,
            name_of(dtype_of<E>));
  });
}

template <class E>
class PaddedModel {
 public:
  PaddedModel(const GptConfig& config, Runtime& runtime)
      : config_(config), runtime_(runtime), count_(padded_count(config)) {
    for (E** buffer : {&weight, &m, &v}) *buffer = allocate<E>(count_);
  }

  // Each [padded_count(config)], as layout.hpp's Padded lays them out.
  E *weight = nullptr, *m = nullptr, *v = nullptr;

  E scale() const { return static_cast<E>(1.0 / std::sqrt(static_cast<double>(config_.head_dim()))); }
  E per_column() const { return static_cast<E>(1.0 / config_.n_embd); }

  void load_parameters(const TensorList& parameters) { upload(weight, pad(config_, parameters)); }
  void load_moments(const Moments& moments) {
    upload(m, pad(config_, moments.m));
    upload(v, pad(config_, moments.v));
  }
  void zero_moments() {
    for (E* buffer : {m, v}) runtime_.zero(buffer, count_ * sizeof(E));
  }
  TensorList parameters() const { return tensors(weight); }
  Moments moments() const { return {tensors(m), tensors(v)}; }

  template <class T>
  T* allocate(std::size_t count) {
    return static_cast<T*>(runtime_.allocate(checked_product({count, sizeof(T)}, "a buffer")));
  }
  void upload(E* destination, std::span<const double> values) {
    std::vector<E> converted(values.size());
    encode(dtype_of<E>, values, converted.data());
    runtime_.upload(destination, converted.data(), converted.size() * sizeof(E));
  }
  std::vector<double> download(const E* source, std::size_t count) const {
    std::vector<E> raw(count);
    runtime_.download(raw.data(), source, count * sizeof(E));
    return {raw.begin(), raw.end()};
  }

 private:
  TensorList tensors(const E* buffer) const { return unpad(config_, download(buffer, count_), dtype_of<E>); }

  const GptConfig config_;
  Runtime& runtime_;
  std::size_t count_;
};

}  // namespace ladder::LADDER_SIDE::stage3
