#include "shared/parity/model_walk.hpp"

#include <algorithm>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"
#include "shared/base/utf8.hpp"
#include "shared/parity/rounding.hpp"

namespace ladder {
namespace {

/// What draw() returns, of a side that is named where its logits are not finite.
template <class Draw>
auto on_side(const Side& side, const Draw& draw) {
  try {
    return draw();
  } catch (const CheckError& error) {
    throw CheckError(fmt::format("{}: {}", side.name, error.what()));
  }
}

std::vector<std::int32_t> greedy_text(Engine& engine, const WalkOptions& options) {
  SampleOptions greedy = options.sampling;
  greedy.greedy = true;
  greedy.max_tokens = options.max_tokens;
  Random random(options.seed);
  std::vector<std::int32_t> text = options.prompt;
  const auto more = sample_tokens(engine, options.prompt, -1, greedy, random);
  text.insert(text.end(), more.begin(), more.end());
  return text;
}

std::vector<std::string> samples_of(Engine& engine, const Tokenizer& tokenizer, const WalkOptions& options) {
  SampleOptions sampling = options.sampling;
  sampling.max_tokens = options.max_tokens;
  Random random(options.seed);
  std::vector<std::string> texts;
  for (int i = 0; i < options.samples; ++i)
    texts.push_back(readable_utf8(
        tokenizer.decode(sample_tokens(engine, options.prompt, tokenizer.end(), sampling, random))));
  return texts;
}

/// The last tokens of a text that one block holds, each with the token behind it.
Sequence end_of(const std::vector<std::int32_t>& text, int block_size) {
  const std::size_t count = std::min(text.size() - 1, static_cast<std::size_t>(block_size));
  const auto first = text.end() - static_cast<std::ptrdiff_t>(count) - 1;
  return {{first, text.end() - 1}, {first + 1, text.end()}};
}

Batch batch_for(const GptConfig& config, Layout layout, const Sequence& sequence) {
  return make_batch(std::span(&sequence, 1), layout, config.block_size);
}

/// In narrow types a text may take another way at two tokens that are nearly as likely.
void compare_greedy(const GreedyPair& greedy, Dtype dtype, ParityReport& report) {
  const std::size_t same = greedy.same();
  if (!greedy.identical() && is_narrow(dtype)) {
    report.notes.push_back(fmt::format("greedy texts differ from token {} on, as this type may", same + 1));
    return;
  }
  Comparison comparison;
  comparison.got_size = greedy.upper.size();
  comparison.want_size = greedy.lower.size();
  if (!greedy.identical()) {
    const auto token = [&](const std::vector<std::int32_t>& text) {
      return same < text.size() ? static_cast<double>(text[same]) : -1.0;
    };
    comparison.verdict = Verdict::too_far;
    comparison.first = comparison.worst = {same, token(greedy.upper), token(greedy.lower), 0.0};
    comparison.max_error = 1.0;
  }
  report.findings.push_back({"greedy", "greedy text", 0, {}, "", 0.0, comparison});
}

void compare_tensors(Engine& upper, Engine& lower, const TensorList& stored, const Sequence& sequence,
                     ParityReport& report) {
  const GptConfig& config = upper.config();
  const Probe got = upper.probe(batch_for(config, upper.layout(), sequence));
  const Probe want = lower.probe_along(batch_for(config, lower.layout(), sequence), got.hidden);
  compare_probes(got, want, upper.dtype(), 0, {false, true, true, false}, report);
  const Pass pass{config, stored, batch_for(config, Layout::packed, sequence)};
  allow_for_rounding(pass, got, want, upper.dtype(), 0, report);
}

}  // namespace

std::size_t GreedyPair::same() const {
  return static_cast<std::size_t>(std::ranges::mismatch(upper, lower).in1 - upper.begin());
}

std::string describe(const GreedyPair& greedy, std::size_t prompt) {
  const std::size_t same = greedy.same();
  if (greedy.identical()) return fmt::format("{} tokens identical", same - prompt);
  const auto token = [&](const std::vector<std::int32_t>& text) {
    return same < text.size() ? fmt::format("{}", text[same]) : std::string("nothing");
  };
  return fmt::format("token {} differs: got {}, want {}", same - prompt + 1, token(greedy.upper),
                     token(greedy.lower));
}

ModelWalk walk_model(const Side& upper, const Side& lower, const SavedModel& saved,
                     const WalkOptions& options) {
  require(!options.prompt.empty(), "a walk needs at least one token to start from");
  require(options.max_tokens > 0, "--max-tokens is {}: it must be 1 or more", options.max_tokens);
  ModelWalk walk{{upper.name, lower.name, 0, {}, {}}, {}, {}, {}, {}};
  const auto upper_engine = upper.make(saved.model, 1), lower_engine = lower.make(saved.model, 1);
  upper_engine->load_parameters(saved.parameters);
  const TensorList stored = as_stored(upper_engine->parameters(), upper.dtype);
  upper_engine->load_parameters(stored);
  lower_engine->load_parameters(stored);
  walk.greedy = {on_side(upper, [&] { return greedy_text(*upper_engine, options); }),
                 on_side(lower, [&] { return greedy_text(*lower_engine, options); })};
  const Sequence sequence = end_of(walk.greedy.lower, saved.model.block_size);
  walk.tokens = sequence.tokens;
  compare_tensors(*upper_engine, *lower_engine, stored, sequence, walk.report);
  compare_greedy(walk.greedy, upper.dtype, walk.report);
  if (options.samples == 0) return walk;
  walk.upper_samples = samples_of(*upper_engine, *saved.tokenizer, options);
  walk.lower_samples = samples_of(*lower_engine, *saved.tokenizer, options);
  compare_samples(walk.upper_samples, walk.lower_samples, upper.dtype, walk.report);
  return walk;
}

ParityReport compare_with_pytorch(const Side& upper, const SavedModel& saved, const PytorchAnswer& answer,
                                  const std::vector<std::int32_t>& tokens, const GreedyPair& greedy) {
  ParityReport report{upper.name, answer.version + " fp64", 0, {}, {}};
  const auto engine = upper.make(saved.model, 1);
  engine->load_parameters(saved.parameters);
  const Tolerance& row = find_tolerance("activations", upper.dtype);
  report.findings.push_back({"model",
                             "logits",
                             0,
                             {static_cast<int>(tokens.size()), saved.model.vocab_size},
                             fmt::format("{} {}", row.what, name_of(row.dtype)),
                             row.limit(),
                             compare(engine->logits(tokens), answer.logits, row)});
  compare_greedy(greedy, upper.dtype, report);
  return report;
}

}  // namespace ladder
