// Stage 4's Ops. nvcc compiles this text for the GPU, the C++ compiler for the CPU model; both may be in one program.
#include "stage4_nanogpt/ops_nano.hpp"

#include "shared/device/device_ops_on.hpp"
#include "stage3_tiled_kernels/launchers.hpp"
#include "stage3_tiled_kernels/ops_tile.hpp"
#include "stage3_tiled_kernels/preconditions.hpp"
#include "stage4_nanogpt/exact_attention.hpp"
#include "stage4_nanogpt/launchers.hpp"
#include "stage4_nanogpt/preconditions.hpp"

namespace ladder::LADDER_SIDE::stage4 {
namespace {

class NanoOps final : public DeviceOpsOn<NanoOps, AllOperations> {
 public:
  explicit NanoOps(const CudaOptions& options) : DeviceOpsOn(options, "stage4.") {
    const stage3::TableRow row = stage3::table_row();
    const std::string note = configuration_note(row.card, row.architecture);
    if (!note.empty()) fmt::print(stderr, "{}\n", note);
  }

  std::string name() const override { return "nano"; }
  /// None: scores never reach memory.
  std::size_t attention_scratch_bytes(int, int, int) const override { return 0; }

  /// Its own kernels where it has them, stage 3's for the rest.
  template <class Args>
  void pass(const Args& args) {
    if constexpr (requires { stage4::enqueue(args, stream()); }) {
      ladder::stage4::require_arguments(args);
      stage4::enqueue(args, stream());
    } else {
      ladder::stage3::require_arguments(args);
      stage3::enqueue(ladder::stage4::exact_attention(args), stream());
    }
  }
};

}  // namespace

std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) { return std::make_unique<NanoOps>(options); }

}  // namespace ladder::LADDER_SIDE::stage4
