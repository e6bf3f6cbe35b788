// Stage 3's Ops. nvcc compiles this text for the GPU, the C++ compiler for the CPU model; both may be in one program.
#include "stage3_tiled_kernels/ops_tile.hpp"

#include "shared/device/device_ops_on.hpp"
#include "stage3_tiled_kernels/launchers.hpp"
#include "stage3_tiled_kernels/preconditions.hpp"

namespace ladder::LADDER_SIDE::stage3 {
namespace {

class TileOps final : public DeviceOpsOn<TileOps, Operations> {
 public:
  explicit TileOps(const CudaOptions& options) : DeviceOpsOn(options, "stage3.") {
    const TableRow row = table_row();
    const std::string note = configuration_note(row.card, row.architecture);
    if (!note.empty()) fmt::print(stderr, "{}\n", note);
  }

  std::string name() const override { return "tile"; }
  /// None: scores never reach memory.
  std::size_t attention_scratch_bytes(int, int, int) const override { return 0; }

  template <class Args>
  void pass(const Args& args) {
    ladder::stage3::require_arguments(args);
    enqueue(args, stream());
  }
};

}  // namespace

std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) { return std::make_unique<TileOps>(options); }

}  // namespace ladder::LADDER_SIDE::stage3
