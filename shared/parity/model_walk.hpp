// One saved model on two sides: block by block, its logits and gradients, greedy text, samples.
//
// Where parity.hpp asks of two stages whether they train alike, this asks of trained weights whether two sides compute
// the same with them: step 2 and 5 of the checklist that somebody goes through who has weights from elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/pytorch.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/sample.hpp"

namespace ladder {

/// What a walk looks at.
struct WalkOptions {
  std::vector<std::int32_t> prompt;  ///< at least one token; what both sides continue
  int max_tokens = 50;               ///< greedy ones, and those of each sample
  int samples = 1;
  SampleOptions sampling = {};
  std::uint64_t seed = 42;
};

/// Greedy text: the prompt and its continuation, on each side.
struct GreedyPair {
  std::vector<std::int32_t> upper, lower;

  /// Tokens from the start that are the same.
  std::size_t same() const;
  bool identical() const { return upper == lower; }
};

struct ModelWalk {
  ParityReport report;  ///< blocks, logits and gradients, samples; "greedy" where that is not identical
  std::vector<std::int32_t>
      tokens;  ///< whose logits were compared: the lower side's greedy text, cropped to the block
  GreedyPair greedy;
  std::vector<std::string> upper_samples, lower_samples;

  bool passed() const { return report.passed(); }
};

/// Both sides from the upper one's rounding of `saved`. In types narrower than fp32, greedy texts and samples may differ.
ModelWalk walk_model(const Side& upper, const Side& lower, const SavedModel& saved,
                     const WalkOptions& options);

/// PyTorch as the lower side: `logits` and greedy text of the upper one against its answer.
ParityReport compare_with_pytorch(const Side& upper, const SavedModel& saved, const PytorchAnswer& answer,
                                  const std::vector<std::int32_t>& tokens, const GreedyPair& greedy);

/// "50 tokens identical", or the first that differs.
std::string describe(const GreedyPair& greedy, std::size_t prompt);

}  // namespace ladder
