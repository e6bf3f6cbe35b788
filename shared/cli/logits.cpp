// ladder logits: what a model says about given tokens, in full precision, for comparison with other programs.
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/json.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/weights.hpp"

namespace ladder::cli {
namespace {

struct LogitsFlags {
  PlaceFlags place;
  WeightsFlags weights;
  std::string json;
  std::vector<std::int32_t> tokens;
};

void run_logits(const LogitsFlags& flags) {
  const Place place = resolve_place(flags.place);
  require_outputs(model_files(flags.weights.path), {flags.json}, {});
  const SavedModel saved = load_weights(flags.weights, place);
  const int vocabulary = saved.model.vocab_size;
  require(static_cast<int>(flags.tokens.size()) <= saved.model.block_size,
          "--tokens: {} were given, this model's block holds {}", flags.tokens.size(),
          saved.model.block_size);
  require_tokens(flags.tokens, saved.model);
  const std::unique_ptr<Engine> engine = make_engine(place.stage, saved.model, place.options);
  engine->load_parameters(saved.parameters);
  const std::vector<double> logits = engine->logits(flags.tokens);
  const int positions = static_cast<int>(flags.tokens.size());
  require_finite({{"logits", {positions, vocabulary}, logits}}, flags.weights.path);
  Json rows = Json::array();
  for (std::size_t t = 0; t < flags.tokens.size(); ++t) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(t) * vocabulary;
    const std::vector<double> row(first, first + vocabulary);
    fmt::print("{}", flags.tokens[t]);
    for (double logit : row)
      fmt::print(" {}", logit);  // fmt prints the shortest text that reads as the same double
    fmt::print("\n");
    rows.push_back(row);
  }
  Outputs outputs;
  outputs.write_json(flags.json, [&] {
    return Json{{"stage", place.stage},
                {"dtype", std::string(name_of(place.options.dtype))},
                {"tokens", flags.tokens},
                {"logits", rows}};
  });
  outputs.finish();
}

}  // namespace

void add_logits(CLI::App& app) {
  const auto flags = std::make_shared<LogitsFlags>();
  add_weights_flags(app, flags->weights);
  add_numbers(app, "--tokens", flags->tokens, "token numbers of one sequence: 1,2,3").required();
  add_place_flags(app, flags->place);
  add_text(app, "--json", flags->json, "write them as JSON").type("FILE");
  set_footer(app, "Prints one line a position: the token, then the logits of the token after it.");
  set_action(app, [flags] { run_logits(*flags); });
}

}  // namespace ladder::cli
