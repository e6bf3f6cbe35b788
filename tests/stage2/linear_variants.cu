#include "tests/stage2/linear_variants.hpp"

#include <algorithm>

#include "stage2_naive_cuda/kernels/linear.cuh"

namespace ladder {
namespace {

using namespace on_gpu;          // NOLINT(google-build-using-namespace)
using namespace on_gpu::stage2;  // NOLINT(google-build-using-namespace)

constexpr int kRows = 16384, kIn = 384, kOut = 1536;

/// rows_times_matrix_kernel, but four neighbouring numbers of `a` with each load: every thread of a warp
/// reads the same four, so one load serves four multiply-adds. K must be a multiple of four.
__global__ void quads_kernel(int rows, int inner, int columns, const float* a_nk, const float* b_kj,
                             float* y_nj) {
  const int j = column_index();
  const int n = row_index();
  if (n >= rows || j >= columns) return;
  const auto* a_k = reinterpret_cast<const float4*>(a_nk + at(n, 0, inner));
  const float* b_k = b_kj + j;
  float sum = 0;
#pragma unroll 2
  for (int k = 0; k < inner / 4; ++k) {
    const float4 a = a_k[k];
    sum += a.x * b_k[at(4 * k, 0, columns)];
    sum += a.y * b_k[at(4 * k + 1, 0, columns)];
    sum += a.z * b_k[at(4 * k + 2, 0, columns)];
    sum += a.w * b_k[at(4 * k + 3, 0, columns)];
  }
  y_nj[at(n, j, columns)] = sum;
}

class Bench {
 public:
  Bench() : runtime_(CudaOptions{.graphs = false}) {
    check(cudaEventCreate(&before_), "cudaEventCreate");
    check(cudaEventCreate(&after_), "cudaEventCreate");
  }
  float* matrix(int rows, int columns) {
    std::vector<float> host(at(rows, 0, columns));
    for (std::size_t i = 0; i < host.size(); ++i)
      host[i] = static_cast<float>(i * 2654435761U % 1000U) * 1e-3F - 0.5F;
    auto* data = static_cast<float*>(runtime_.allocate(host.size() * sizeof(float)));
    runtime_.upload(data, host.data(), host.size() * sizeof(float));
    return data;
  }
  Stream& stream() { return runtime_.stream(); }

  template <class Work>
  void time(const std::string& product, const std::string& variant, Work&& work) {
    const auto handle = static_cast<cudaStream_t>(stream().handle);
    float best = 1e30F;
    for (int i = 0; i < 12; ++i) {
      check(cudaEventRecord(before_, handle), "cudaEventRecord");
      work();
      check(cudaEventRecord(after_, handle), "cudaEventRecord");
      check(cudaEventSynchronize(after_), product + ", " + variant);
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, before_, after_), "cudaEventElapsedTime");
      if (i > 1) best = std::min(best, milliseconds);
    }
    times_.push_back({product, variant, best / 1e3, 2.0 * kRows * kIn * kOut});
  }
  std::vector<VariantTime> times() const { return times_; }

 private:
  Runtime runtime_;
  cudaEvent_t before_ = nullptr, after_ = nullptr;
  std::vector<VariantTime> times_;
};

Launch blocks_of(int rows, int columns, unsigned across, unsigned down) {
  return {"variant",
          dim3(blocks_for(static_cast<std::size_t>(columns), across),
               blocks_for(static_cast<std::size_t>(rows), down)),
          dim3(across, down)};
}

using Product = void (*)(int, int, int, const float*, const float*, float*);

/// One kernel of the form a [rows, inner] times b [inner, columns] at several shapes of block.
void time_shapes(Bench& bench, const std::string& product, const std::string& variant, Product kernel,
                 int rows, int inner, int columns, const float* a, const float* b, float* y) {
  for (const auto& [across, down] :
       {std::pair{32U, 4U}, {32U, 8U}, {32U, 16U}, {32U, 32U}, {64U, 4U}, {128U, 2U}, {256U, 1U}})
    bench.time(product, fmt::format("{}, blocks of {} x {}", variant, across, down),
               [&, across = across, down = down] {
                 launch(bench.stream(), blocks_of(rows, columns, across, down), kernel, rows, inner, columns,
                        a, b, y);
               });
}

}  // namespace

std::vector<VariantTime> time_linear_variants() {
  Bench bench;
  float* x = bench.matrix(kRows, kIn);
  float* w = bench.matrix(kOut, kIn);
  float* y = bench.matrix(kRows, kOut);
  float* dx = bench.matrix(kRows, kIn);
  float* dw = bench.matrix(kOut, kIn);
  float* w_io = bench.matrix(kIn, kOut);
  float* dy_on = bench.matrix(kOut, kRows);
  const auto act = [](float* data) { return Act{data, Dtype::fp32}; };
  const LinearForward forward{kRows, kIn, kOut, act(x), {w, Dtype::fp32}, act(y)};
  bench.time("forward", "W read down its columns",
             [&] { launch_linear_forward_direct(forward, bench.stream()); });
  bench.time("forward", "transposed copy of W, copy included",
             [&] { launch_linear_forward_transposed(forward, bench.stream()); });
  time_shapes(bench, "forward", "plain", rows_times_matrix_kernel<float>, kRows, kIn, kOut, x, w_io, y);
  time_shapes(bench, "forward", "quads", quads_kernel, kRows, kIn, kOut, x, w_io, y);
  time_shapes(bench, "input gradient", "plain", rows_times_matrix_kernel<float>, kRows, kOut, kIn, y, w, dx);
  time_shapes(bench, "input gradient", "quads", quads_kernel, kRows, kOut, kIn, y, w, dx);
  time_shapes(bench, "weight gradient", "plain, dy transposed", rows_times_matrix_kernel<float>, kOut, kRows,
              kIn, dy_on, x, dw);
  time_shapes(bench, "weight gradient", "quads, dy transposed", quads_kernel, kOut, kRows, kIn, dy_on, x, dw);
  bench.time("weight gradient", "transposing dy alone", [&] {
    launch_transpose("transpose", kRows, kOut, kOut, static_cast<const float*>(y), dy_on, bench.stream());
  });
  for (const auto& [across, down] : {std::pair{32U, 4U}, {32U, 8U}, {32U, 16U}, {64U, 4U}, {128U, 2U}})
    bench.time("weight gradient", fmt::format("plain, blocks of {} x {}", across, down),
               [&, across = across, down = down] {
                 launch(bench.stream(), blocks_of(kOut, kIn, across, down),
                        linear_backward_weight_kernel<float>, kRows, kIn, kOut, static_cast<const float*>(y),
                        static_cast<const float*>(x), dw);
               });
  return bench.times();
}

}  // namespace ladder
