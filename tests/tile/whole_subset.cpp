// Every kernel of this folder, instantiated: read by a host compiler with NVIDIA's header (see real_header.sh), which
// gives nvcc's verdict on them in a second, and with the model's.
#include "tests/tile/examples.cuh"
#include "tests/tile/fault_kernels.cuh"
#include "tests/tile/rules.cuh"
#include "tests/tile/subset_kernels.cuh"
#include "tests/tile/trial_kernels.cuh"

namespace ladder::LADDER_SIDE {

template <class T>
void instantiate_for_type() {
  (void)&subset_arithmetic<T>;
  (void)&subset_mathematics<T>;
  (void)&subset_comparisons<T>;
  (void)&subset_shapes<T>;
  (void)&subset_sums<T>;
}

void instantiate_all() {
  instantiate_for_type<float>();
  instantiate_for_type<double>();
  instantiate_for_type<__nv_bfloat16>();
  instantiate_for_type<__half>();
  (void)&subset_mma<float, float>;
  (void)&subset_mma<double, double>;
  (void)&subset_mma<__nv_bfloat16, float>;
  (void)&subset_mma<__half, float>;
  (void)&trial_rmsnorm<float, 4, 64>;
  (void)&trial_rmsnorm<__nv_bfloat16, 4, 64>;
  (void)&trial_matmul_nt<float, float, 64, 64, 32>;
  (void)&trial_matmul_nt<double, double, 32, 32, 16>;
  (void)&trial_matmul_nt<__nv_bfloat16, float, 128, 128, 64>;
  (void)&trial_attention<float, 16, 16, 32>;
  (void)&trial_attention<__half, 64, 64, 64>;
  float x = 0, y = 0;
  launch(add_one_masked, {"add_one_masked", 1}, &x, &y, 1);
}

}  // namespace ladder::LADDER_SIDE
