// Whole training steps of both model texts on stage 4 in the tile model's checked mode: no access outside a tensor, no
// race between blocks, no read of what nothing wrote. The kernels alone: test_rows.cpp and test_products.cpp.
#include <catch2/catch.hpp>

#include "stage4_nanogpt/ops_nano.hpp"
#include "tests/support/checked.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

TEST_CASE("whole training steps of microGPT and GPT-2 pass checked mode", "[stage4]") {
  const tile::Checks checks;
  GptConfig dropping = gpt2_of(2, 36, 6, 2, 17);
  dropping.bias = true;
  dropping.dropout = 0.2;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    train_checked(make_nano_ops, model_of(2, 36, 6, 2, 17), {17, 0, 13, 1}, dtype);
    train_checked(make_nano_ops, gpt2_of(1, 16, 4, 4, 16), {16}, dtype);
    train_checked(make_nano_ops, dropping, {17, 0, 13, 1}, dtype);
  }
}
