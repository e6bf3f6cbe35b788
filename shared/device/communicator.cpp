#include "shared/device/communicator.hpp"

namespace ladder {
namespace {

class SingleRank final : public Communicator {
 public:
  int rank() const override { return 0; }
  int ranks() const override { return 1; }
  void sum(Grad /*gradients*/, std::size_t /*count*/, void* /*queue*/) override {}
};

}  // namespace

std::shared_ptr<Communicator> single_rank() { return std::make_shared<SingleRank>(); }

}  // namespace ladder
