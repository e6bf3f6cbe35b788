// Stage 3's Ops. nvcc compiles this text for the GPU, the C++ compiler for the CPU model; both may be in one
// program.
#include "stage3_tiled_kernels/ops_tile.hpp"

#include "stage3_tiled_kernels/launchers.hpp"
#include "stage3_tiled_kernels/preconditions.hpp"

#ifdef __CUDACC__
#include "shared/device/cuda_runtime.hpp"
#else
#include "shared/device/cpu_runtime.hpp"
#endif

namespace ladder::LADDER_SIDE::stage3 {
namespace {

class TileOps final : public DeviceOps {
 public:
  explicit TileOps(const CudaOptions& options) : dtype_(options.dtype), runtime_(options) {
    const TableRow row = table_row();
    const std::string note = configuration_note(row.card, row.architecture);
    if (!note.empty()) fmt::print(stderr, "{}\n", note);
  }

  std::string name() const override { return "tile"; }
  Dtype dtype() const override { return dtype_; }
  /// Padded, so that steps of different documents have the same shape and one recorded graph serves them all.
  Layout layout() const override { return Layout::padded; }
  bool emulated() const override { return Runtime::kEmulated; }
  DeviceUse use() const override {
    return {runtime_.allocations(), runtime_.allocated_bytes(), runtime_.graphs()};
  }

  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = runtime_.stream().kernels();
    for (std::string& kernel : names) kernel.insert(0, "stage3.");
    return names;
  }

  void* allocate(std::size_t bytes) override { return runtime_.allocate(bytes); }
  void upload(void* destination, const void* host, std::size_t bytes) override {
    runtime_.upload(destination, host, bytes);
  }
  void download(void* host, const void* source, std::size_t bytes) override {
    runtime_.download(host, source, bytes);
  }
  void zero(void* destination, std::size_t bytes) override { runtime_.zero(destination, bytes); }
  void synchronize() override { runtime_.synchronize(); }
  /// None: scores never reach memory.
  std::size_t attention_scratch_bytes(int, int, int) const override { return 0; }
  void run_step(const StepKey& key, const std::function<void()>& body) override {
    runtime_.run_step(key, body);
  }

  void run(const EmbeddingForward& args) override { checked(args); }
  void run(const EmbeddingBackward& args) override { checked(args); }
  void run(const RmsNormForward& args) override { checked(args); }
  void run(const RmsNormBackward& args) override { checked(args); }
  void run(const LinearForward& args) override { checked(args); }
  void run(const LinearBackwardInput& args) override { checked(args); }
  void run(const LinearBackwardWeight& args) override { checked(args); }
  void run(const AttentionForward& args) override { checked(args); }
  void run(const AttentionBackward& args) override { checked(args); }
  void run(const ReluForward& args) override { checked(args); }
  void run(const ReluBackward& args) override { checked(args); }
  void run(const ResidualForward& args) override { checked(args); }
  void run(const CrossEntropy& args) override { checked(args); }
  void run(const Adam& args) override { checked(args); }

  void run(const RmsNormLinearForward& args) override { checked(args); }
  void run(const RmsNormLinearBackward& args) override { checked(args); }
  void run(const LinearResidualForward& args) override { checked(args); }
  void run(const LinearBackwardInputRelu& args) override { checked(args); }

 private:
  template <class Args>
  void checked(const Args& args) {
    ladder::stage3::require_arguments(args);
    enqueue(args, runtime_.stream());
  }

  Dtype dtype_;
  Runtime runtime_;
};

}  // namespace

std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) { return std::make_unique<TileOps>(options); }

}  // namespace ladder::LADDER_SIDE::stage3
