// Every kernel of the stage in the tile model's checked mode: no access outside a tensor, no race between blocks, no
// read of what nothing wrote, no false promise to the compiler. On the CPU model only: a GPU does not look.
#include <catch2/catch.hpp>

#include <set>

#include "shared/check/cases.hpp"
#include "shared/tile/checks.hpp"
#include "tests/stage3/device.hpp"
#include "tests/stage3/wide_cases.hpp"
#include "tests/support/checked.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// More rows than a persistent grid of the CPU model takes at once, and no whole number of tiles.
constexpr int kPersistentRows = 301;

/// Runs each case it is given in checked mode and collects the kernels that ran.
class CheckedRun {
 public:
  explicit CheckedRun(Dtype dtype) : dtype_(dtype) {}
  void operator()(const cases::OpCase& c) {
    for (const std::string& kernel : run_checked(make_tile_ops, c, dtype_)) kernels_.insert(kernel);
  }
  const std::set<std::string>& kernels() const { return kernels_; }

 private:
  Dtype dtype_;
  std::set<std::string> kernels_;
};

}  // namespace

TEST_CASE("every kernel passes checked mode on awkward shapes", "[stage3]") {
  const tile::Checks checks;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    CheckedRun run(dtype);
    for (const cases::OpCase& c : cases::all_cases(Layout::padded, dtype)) run(c);
    CHECK(run.kernels().size() >= 18);
  }
}

TEST_CASE("large and uneven shapes pass checked mode: split-K, persistent grids, long sequences",
          "[stage3]") {
  const tile::Checks checks;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    CheckedRun run(dtype);
    const auto sink = [&](const cases::OpCase& c) { run(c); };
    for_each_wide_row_case(kPersistentRows, Lists::thinned, sink);
    for_each_wide_attention(Layout::padded, 128, Lists::thinned, sink);
    for_each_wide_loss(Layout::padded, Lists::thinned, sink);
    for (const char* name : {"stage3.linear_weight_sum", "stage3.rmsnorm_forward_persistent"})
      CHECK(run.kernels().count(name) == 1);
  }
}

TEST_CASE("whole training steps pass checked mode", "[stage3]") {
  const tile::Checks checks;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    train_checked(make_tile_ops, model_of(1, 16, 4, 4, 16), {16}, dtype);
    train_checked(make_tile_ops, model_of(2, 36, 6, 2, 17), {17, 0, 13, 1}, dtype);
  }
}
