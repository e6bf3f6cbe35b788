// Trained weights, which are harder than fresh ones: larger activations, sharper attention, logits far apart.
// tests/golden/make.sh trained them.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "shared/train/checkpoint.hpp"
#include "shared/train/sample.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage4/device.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int kNewTokens = 60;  // the block holds 32

SavedModel trained() { return load_model(LADDER_SOURCE_DIR "/tests/golden/gpt2/trained_tiny.safetensors"); }

struct Pair {
  std::unique_ptr<Engine> engine, reference;
};

/// Both from the weights as `dtype` rounds them; the reference in double.
Pair engines_of(const SavedModel& saved, Dtype dtype) {
  TensorList parameters = saved.parameters;
  for (NamedTensor& tensor : parameters) tensor = tensor.in(Precision::of(dtype).parameter);
  Pair pair{make_ops_engine(saved.model, stage4_ops(dtype), 2),
            make_ops_engine(saved.model, make_eigen_ops(Dtype::fp64, 1), 2)};
  pair.engine->load_parameters(parameters);
  pair.reference->load_parameters(parameters);
  return pair;
}

/// Two names of the data and what follows them.
std::vector<std::int32_t> text_of(const SavedModel& saved) {
  return saved.tokenizer->encode(U"olivia\nava\nsophia\nisabella\nmia\n");
}

/// The difference of the two largest.
double lead(std::vector<double> logits) {
  std::ranges::nth_element(logits, logits.begin() + 1, std::greater<>());
  return logits[0] - logits[1];
}

}  // namespace

TEST_CASE("trained weights: blocks, logits and gradients match stage 1 in double", "[stage4]") {
  if (skipped()) return;
  const SavedModel saved = trained();
  std::vector<std::int32_t> text = text_of(saved);
  text.resize(33, text.front());
  const std::vector<Sequence> sequences = {{{text.begin(), text.end() - 1}, {text.begin() + 1, text.end()}},
                                           {{text[3], text[4]}, {text[4], text[5]}}};
  for (const Dtype dtype : kAllDtypes) {
    const auto [engine, reference] = engines_of(saved, dtype);
    const auto probe = [&](Engine& one) {
      return one.probe(make_batch(sequences, one.layout(), saved.model.block_size));
    };
    const Probe got = probe(*engine), want = probe(*reference);
    check_tensors(got.activations, want.activations, find_tolerance("activations", dtype), "activations");
    check_tensors(got.gradients, want.gradients, find_tolerance("gradients", dtype), "gradients");
  }
}

TEST_CASE(
    "trained weights: greedy text is the same token by token, in narrow types as far as rounding lets it",
    "[stage4]") {
  if (skipped()) return;
  const SavedModel saved = trained();
  for (const Dtype dtype : kAllDtypes) {
    const auto [engine, reference] = engines_of(saved, dtype);
    std::vector<std::int32_t> context = saved.tokenizer->encode(U"emma\n");
    int same = 0;
    for (; same < kNewTokens; ++same) {
      const std::size_t begin =
          context.size() -
          std::min<std::size_t>(context.size(), static_cast<std::size_t>(saved.model.block_size));
      const std::span<const std::int32_t> seen = std::span(context).subspan(begin);
      const auto last = [&](Engine& one) {
        const std::vector<double> all = one.logits(seen);
        return std::vector<double>(all.end() - saved.model.vocab_size, all.end());
      };
      const std::vector<double> got = last(*engine), want = last(*reference);
      const auto choice = std::ranges::max_element(want) - want.begin();
      double error = 0.0;
      for (std::size_t v = 0; v < want.size(); ++v) error = std::max(error, std::abs(got[v] - want[v]));
      if (std::ranges::max_element(got) - got.begin() != choice) {
        INFO(name_of(dtype) << " parts at token " << same << ": the two largest logits are " << lead(want)
                            << " apart, the error is " << error);
        CHECK((dtype != Dtype::fp64 && dtype != Dtype::fp32));
        CHECK(lead(want) <= 2 * error);
        break;
      }
      context.push_back(static_cast<std::int32_t>(choice));
    }
    std::printf("%s: %d of %d greedy tokens are the same\n", std::string(name_of(dtype)).c_str(), same,
                kNewTokens);
  }
}
