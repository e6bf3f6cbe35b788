// Dropout of activations. Attention's stands with attention.
#include "stage1_cpu_tensor/blocks.hpp"
#include "stage1_cpu_tensor/dropout_mask.hpp"
#include "stage1_cpu_tensor/kernels.hpp"

namespace ladder::eigen {

// y = m x with multipliers that do not depend on x, so dx = m dy: the backward pass is the same call.
template <class T>
void apply_dropout(const ApplyDropout& a, WorkerPool& pool) {
  const DropoutMask mask(a.dropout, *a.batch.step);
  const T kept = static_cast<T>(a.dropout.keep_factor());
  for_each_row(pool, a.batch.rows, a.channels, [&](int n) {
    const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(n) * a.channels;
    const T* x_c = a.x_nc.as<T>() + begin;
    T* y_c = a.y_nc.as<T>() + begin;
    const int b = a.batch.sequence_n[n];
    if (b < 0) {
      std::fill_n(y_c, a.channels, T(0));
      return;
    }
    T multipliers[kMaskGroup];
    for (int c0 = 0; c0 < a.channels; c0 += kMaskGroup) {
      mask.channels(b, n - a.batch.starts_b[b], c0, kept, multipliers);
      const int count = std::min(kMaskGroup, a.channels - c0);
      for (int c = 0; c < count; ++c) y_c[c0 + c] = x_c[c0 + c] * multipliers[c];  // a NaN stays one
    }
  });
}

#define LADDER_INSTANTIATE(T) template void apply_dropout<T>(const ApplyDropout&, WorkerPool&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
