// What stages 3 and 4 refuse before a kernel runs, at the edges of what they take, and which kernels a head gets.
#include <catch2/catch.hpp>

#include <array>
#include <string>

#include "stage3_tiled_kernels/configs/attention.hpp"
#include "stage4_nanogpt/preconditions.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

alignas(16) std::array<std::int32_t, 8> integers;
const StepConstants numbers{};
const Act act{integers.data(), Dtype::fp32};
const Param param{integers.data(), Dtype::fp32};
const Grad grad{integers.data(), Dtype::fp32};
const Stat stat{integers.data(), Dtype::fp32};

BatchView one_row() {
  const std::int32_t* n = integers.data();
  BatchView batch{1, 1, 1, n, n, n, n, n, n};
  batch.step = &numbers;
  return batch;
}

Dropout dropout_of(double probability) { return {probability, 0, DropoutSite::mlp_output}; }

/// What it is refused with, by stage 3's list or by stage 4's; "" where it is taken.
template <class Args>
std::string refusal(const Args& args, bool stage4 = true) {
  try {
    stage4 ? stage4::require_arguments(args) : stage3::require_arguments(args);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

std::string refusal_of(const BatchView& batch) {
  return refusal(EmbeddingForward{batch, 1, param, param, act}, false);
}

}  // namespace

TEST_CASE("each integer of a batch is asked for, by its name, where there is one", "[stage4]") {
  const auto without = [](auto member) {
    BatchView batch = one_row();
    batch.*member = nullptr;
    return refusal_of(batch);
  };
  CHECK(refusal_of(one_row()).empty());
  CHECK(without(&BatchView::starts_b) == "embedding_forward: pointer starts_b is null");
  CHECK(without(&BatchView::lengths_b) == "embedding_forward: pointer lengths_b is null");
  CHECK(without(&BatchView::tokens_n) == "embedding_forward: pointer tokens_n is null");
  CHECK(without(&BatchView::targets_n) == "embedding_forward: pointer targets_n is null");
  CHECK(without(&BatchView::sequence_n) == "embedding_forward: pointer sequence_n is null");
  CHECK(without(&BatchView::order_n).empty());  // the backward pass alone reads it
  CHECK(refusal_of(BatchView{}).empty());
  BatchView no_rows = one_row();
  no_rows.rows = 0;
  no_rows.tokens_n = no_rows.targets_n = no_rows.sequence_n = nullptr;
  CHECK(refusal_of(no_rows).empty());
}

TEST_CASE("positions before a batch are those of one sequence", "[stage4]") {
  const auto with = [](int sequences, int rows, int first) {
    BatchView batch = one_row();
    batch.batch = sequences;
    batch.rows = rows;
    batch.first = first;
    return refusal_of(batch);
  };
  CHECK(with(1, 1, 7).empty());
  CHECK(with(2, 2, 0).empty());
  CHECK(with(2, 2, 1) == "embedding_forward: 1 positions before a batch of 2 sequences");
  CHECK_THAT(with(1, 1, -1), Contains("-1 positions before"));
  CHECK(with(-1, 1, 0) == "embedding_forward: a batch of -1 sequences and 1 rows");
  CHECK_THAT(with(1, -1, 0), Contains("1 sequences and -1 rows"));
}

TEST_CASE("rows of logits hold their vocabulary", "[stage4]") {
  const auto with = [](int vocabulary, int columns) {
    return refusal(CrossEntropy{one_row(), vocabulary, columns, 1.0, true, act, stat, stat}, false);
  };
  CHECK(with(27, 27).empty());
  CHECK(with(27, 32).empty());
  CHECK(with(27, 26) == "cross_entropy: rows of 26 columns hold no vocabulary of 27");
}

TEST_CASE("tensors that stage 3 must have, and those that it may have, are judged as such", "[stage4]") {
  const Act odd{reinterpret_cast<std::byte*>(integers.data()) + 2, Dtype::fp32};
  const auto norm = [](const Act& residual) {
    return refusal(RmsNormBackward{1, 1, act, act, residual, stat, act}, false);
  };
  CHECK(norm({}).empty());
  CHECK(norm(act).empty());
  CHECK_THAT(norm(odd), Contains("rmsnorm_backward: pointer dresidual_nc") && Contains("not aligned"));
  const auto fused = [](const Stat& rstd, const Act& residual, const Act& normed) {
    return refusal(RmsNormLinearBackward{1, 1, 1, act, param, act, act, rstd, residual, normed, grad, act},
                   false);
  };
  CHECK(fused(stat, {}, act).empty());
  CHECK_THAT(fused({}, act, act), Contains("pointer rstd_n is null"));
  CHECK_THAT(fused(stat, act, {}), Contains("pointer dnormed_ni is null"));
  CHECK_THAT(fused(stat, odd, act), Contains("pointer dresidual_ni"));
  const Master master{integers.data(), Dtype::fp32};
  const auto adam = [&](const StepConstants* step, const Param& own, const Stat& squares) {
    return refusal(Adam{1, step, 1, grad, squares, master, master, master, own}, false);
  };
  CHECK(adam(&numbers, param, {}).empty());
  CHECK_THAT(adam(nullptr, param, {}), Contains("adam: pointer step is null"));
  CHECK_THAT(adam(&numbers, {}, {}), Contains("adam: pointer param is null"));
  CHECK_THAT(adam(&numbers, param, {odd.data, Dtype::fp32}), Contains("adam: pointer squares"));
}

TEST_CASE("a dropout is a probability below one, and draws by the numbers of a step", "[stage4]") {
  const auto with = [](double probability, const StepConstants* step) {
    BatchView batch = one_row();
    batch.step = step;
    return refusal(ApplyDropout{batch, 1, dropout_of(probability), act, act});
  };
  CHECK(with(0.0, nullptr).empty());
  CHECK(with(0.999, &numbers).empty());
  CHECK(with(0.1, nullptr) == "apply_dropout: pointer step is null");
  CHECK(with(1.0, &numbers) == "apply_dropout: a dropout of 1");
  CHECK(with(-0.1, &numbers) == "apply_dropout: a dropout of -0.1");
}

TEST_CASE("attention with dropout begins at the first position, forward", "[stage4]") {
  AttentionForward plain{};
  plain.batch = one_row();
  CHECK(refusal(DropoutAttentionForward{plain, dropout_of(0.5)}).empty());
  plain.batch.first = 3;
  CHECK(refusal(DropoutAttentionForward{plain, dropout_of(0.5)}) ==
        "dropout_attention_forward: 3 positions before the batch");
  AttentionBackward backward{};
  backward.batch = one_row();
  CHECK(refusal(DropoutAttentionBackward{backward, dropout_of(0.5)}).empty());
  CHECK_THAT(refusal(DropoutAttentionBackward{backward, dropout_of(1.5)}), Contains("a dropout of 1.5"));
  backward.batch.lengths_b = nullptr;
  CHECK_THAT(refusal(DropoutAttentionBackward{backward, dropout_of(0.5)}),
             Contains("dropout_attention_backward: pointer lengths_b is null"));
}

TEST_CASE("what stage 4 needs of fused operations depends on their dropout", "[stage4]") {
  const auto backward = [](double probability, const Act& dbranch) {
    return refusal(ResidualLayerNormBackward{
        one_row(), 1, dropout_of(probability), act, act, param, stat, stat, {}, act, dbranch, grad, {}});
  };
  CHECK(backward(0.0, {}).empty());
  CHECK(backward(0.5, act).empty());
  CHECK_THAT(backward(0.5, {}), Contains("residual_layer_norm_backward: pointer dbranch_nc is null"));
  const auto embedding = [](const std::int32_t* order, int rows) {
    BatchView batch = one_row();
    batch.order_n = order;
    batch.rows = rows;
    return refusal(EmbeddingBackward{batch, 1, 1, 1, act, grad, grad});
  };
  CHECK(embedding(integers.data(), 1).empty());
  CHECK(embedding(nullptr, 0).empty());
  CHECK(embedding(nullptr, 1) == "embedding_backward: pointer order_n is null");
}

TEST_CASE("a head gets the smallest class that holds it, the largest in two types only", "[stage4]") {
  using table::head_class;
  for (const Dtype dtype : kAllDtypes) {
    INFO(name_of(dtype));
    CHECK((head_class(1, dtype) == 16 && head_class(16, dtype) == 16));
    CHECK((head_class(17, dtype) == 64 && head_class(64, dtype) == 64));
    const int large = dtype == Dtype::fp32 || dtype == Dtype::bf16 ? 128 : 0;
    CHECK((head_class(65, dtype) == large && head_class(128, dtype) == large));
    CHECK(head_class(129, dtype) == 0);
  }
  using table::AttentionPart;
  for (const table::AttentionRow& row : table::kAttentionRows)
    CHECK(table::bulk_attention_tiles(row.architecture, row.head, row.part) == row.tiles);
}
