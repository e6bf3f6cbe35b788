// The cost of every operation by hand, with every role in a type of another size and every extent another number: a
// tensor left out, counted twice or measured in another's type shows.
#include <catch2/catch.hpp>

#include "shared/model/cost.hpp"

using namespace ladder;

namespace {

double place, another_place;

// bytes of an element: activations 2, parameters and statistics 4, gradients and masters 8
const Act act{&place, Dtype::bf16};
const Param param{&place, Dtype::fp32};
const Stat stat{&place, Dtype::fp32};
const Grad grad{&place, Dtype::fp64};
const Master master{&place, Dtype::fp64};

/// Two sequences of five rows.
BatchView ten_rows() {
  BatchView batch;
  batch.batch = 2;
  batch.rows = 10;
  batch.max_length = 5;
  return batch;
}

template <class Args>
void costs(const Args& args, double bytes, double flops) {
  INFO(Args::kName);
  CHECK(cost(args).bytes == bytes);
  CHECK(cost(args).flops == flops);
}

AttentionForward attention_forward() {
  return {ten_rows(), 4, 2, 8, true, 64, act, act, act, act, stat, nullptr};
}
AttentionBackward attention_backward() {
  return {ten_rows(), 4, 2, 8, true, 64, act, act, act, act, act, stat, nullptr, act, act, act};
}

constexpr double kIntegers = 4.0 * 10;                     // of one kind, of all rows
constexpr double kProduct = 2 * 15 + 4 * 21 + 2 * 35;      // of 5 rows, 3 in, 7 out
constexpr double kMixed = 10 * 8 * 4, kKeys = 10 * 8 * 2;  // elements of all query heads, of all key heads

}  // namespace

TEST_CASE("embeddings cost what their rows of the tables do") {
  costs(EmbeddingForward{ten_rows(), 6, param, param, act}, 2 * kIntegers + 60 * (4 + 4 + 2), 60);
  costs(EmbeddingBackward{ten_rows(), 6, 11, 5, act, grad, grad}, 2 * kIntegers + 60 * (2 + 2 * 8 + 2 * 8),
        120);
}

TEST_CASE("norms cost what their rows and statistics do, with what is there of bias and residual") {
  costs(RmsNormForward{10, 6, act, act, stat}, 2 * 2 * 60 + 4 * 10, 3 * 60 + 3 * 10);
  costs(RmsNormBackward{10, 6, act, act, act, stat, act}, 4 * 2 * 60 + 4 * 10, 7 * 60 + 3 * 10);
  const double forward = 2 * 2 * 60 + 4 * 6 + 2 * 4 * 10, backward = 4 * 2 * 60 + 4 * 6 + 2 * 4 * 10 + 96;
  costs(LayerNormForward{10, 6, act, param, {}, act, stat, stat}, forward, 8 * 60 + 4 * 10);
  costs(LayerNormForward{10, 6, act, param, param, act, stat, stat}, forward + 4 * 6, 8 * 60 + 4 * 10);
  costs(LayerNormBackward{10, 6, act, act, param, stat, stat, act, act, grad, {}}, backward,
        14 * 60 + 4 * 10);
  costs(LayerNormBackward{10, 6, act, act, param, stat, stat, act, act, grad, grad}, backward + 2 * 8 * 6,
        14 * 60 + 4 * 10);
  costs(LayerNormBackward{10, 6, act, act, param, stat, stat, {}, act, grad, {}}, backward - 2 * 60,
        14 * 60 + 4 * 10);
  const Dropout dropout{0.5, 0, DropoutSite::mlp_output};
  for (const bool drops : {false, true}) {
    const Dropout chosen = drops ? dropout : Dropout{};
    costs(ResidualLayerNormForward{ten_rows(), 6, chosen, act, act, param, {}, act, act, stat, stat},
          forward + 2 * 2 * 60, 8 * 60 + 4 * 10 + (drops ? 2 : 1) * 60);
    costs(
        ResidualLayerNormBackward{
            ten_rows(), 6, chosen, act, act, param, stat, stat, act, act, act, grad, {}},
        backward + (drops ? 2 * 60 : 0), 14 * 60 + 4 * 10 + (drops ? 60 : 0));
  }
}

TEST_CASE("products cost two operations a pair of factors, and what is done to their result") {
  costs(LinearForward{5, 3, 7, act, param, act}, kProduct, 210);
  costs(LinearBackwardInput{5, 3, 7, act, param, act}, kProduct, 210);
  costs(LinearBackwardWeight{5, 3, 7, act, act, grad}, 2 * 35 + 2 * 15 + 2 * 8 * 21, 210);
  costs(LinearResidualForward{5, 3, 7, act, param, act, act}, kProduct + 2 * 35, 210 + 35);
  costs(LinearBackwardInputRelu{5, 3, 7, act, param, act, act}, kProduct + 2 * 15, 210 + 15);
  costs(LinearBiasForward{5, 3, 7, act, param, {}, act}, kProduct, 210);
  costs(LinearBiasForward{5, 3, 7, act, param, param, act}, kProduct + 4 * 7, 210 + 35);
  costs(LinearGeluForward{5, 3, 7, Gelu::erf, act, param, param, act, act}, kProduct + 4 * 7 + 2 * 35,
        210 + 35 + 350);
  costs(LinearBackwardInputGelu{5, 3, 7, Gelu::erf, act, param, act, act}, kProduct + 2 * 15, 210 + 150);
  costs(BiasBackward{5, 7, act, grad}, 2 * 35 + 2 * 8 * 7, 35);
  for (const bool relu : {false, true})
    costs(RmsNormLinearForward{5, 3, 7, relu, act, param, act, stat, act}, kProduct + 2 * 15 + 4 * 5,
          3 * 15 + 3 * 5 + 210 + (relu ? 35 : 0));
  costs(RmsNormLinearBackward{5, 3, 7, act, param, act, act, stat, act, act, grad, act},
        kProduct + 3 * 2 * 15 + 4 * 5 + 2 * 8 * 21, 420 + 7 * 15 + 3 * 5);
}

TEST_CASE("attention costs what its pairs do, and its traffic counts key heads once") {
  const double pairs = 2 * 15 * 4;  // sequences, visible pairs, heads
  const double forward = 2 * (2 * kMixed + 2 * kKeys) + 4 * 10 * 4 + kIntegers;
  const double backward = 2 * (4 * kMixed + 4 * kKeys) + 4 * 10 * 4 + kIntegers;
  costs(attention_forward(), forward, pairs * (4 * 8 + 4));
  costs(attention_backward(), backward, pairs * (10 * 8 + 6));
  const Dropout dropout{0.5, 0, DropoutSite::attention};
  costs(DropoutAttentionForward{attention_forward(), dropout}, forward, pairs * (4 * 8 + 5));
  costs(DropoutAttentionBackward{attention_backward(), dropout}, backward, pairs * (10 * 8 + 7));
  AttentionForward none = attention_forward();
  none.batch = {};
  costs(none, 0, 0);
}

TEST_CASE("element-wise operations, the loss and the update cost what they touch") {
  costs(ReluForward{13, act, act}, 2 * 2 * 13, 13);
  costs(ReluBackward{13, act, act, act}, 3 * 2 * 13, 13);
  costs(ResidualForward{13, act, act, act}, 3 * 2 * 13, 13);
  costs(ApplyDropout{ten_rows(), 6, {0.5, 0, DropoutSite::embedding}, act, act}, kIntegers + 2 * 2 * 60, 60);
  // of 16 columns the 11 of the vocabulary; the loss is added to
  costs(CrossEntropy{ten_rows(), 11, 16, 1.0, false, act, stat, stat},
        2 * kIntegers + 2 * 110 + 4 * 10 + 2 * 4, 4 * 110);
  costs(CrossEntropy{ten_rows(), 11, 16, 1.0, true, act, stat, stat},
        2 * kIntegers + 2 * 2 * 110 + 4 * 10 + 2 * 4, 6 * 110);
  costs(GradientSquares{100, grad, stat}, 8 * 100 + 4, 200);
  constexpr double kStep = sizeof(StepConstants);
  costs(Adam{100, nullptr, 100, grad, {}, master, master, master, param}, 8 * 100 * 7 + kStep, 14 * 100);
  const Param own{&another_place, Dtype::bf16};  // with a master copy of its own
  costs(Adam{100, nullptr, 70, grad, stat, master, master, master, own}, 8 * 100 * 7 + 2 * 100 + 4 + kStep,
        15 * 100 + 30);
}
