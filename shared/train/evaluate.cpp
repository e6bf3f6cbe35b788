#include "shared/train/evaluate.hpp"

#include <algorithm>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/interrupt.hpp"

namespace ladder {

double mean_loss(Engine& engine, const TokenSource& source, DataPart part, int sequences, int max_batch) {
  require(sequences > 0 && sequences <= source.held_out_sequences(),
          "a loss over {} held-out sequences was asked for: {} are held out", sequences,
          source.held_out_sequences());
  double total = 0.0;
  for (int first = 0; first < sequences; first += max_batch) {
    stop_if_interrupted();
    const int count = std::min(max_batch, sequences - first);
    std::vector<Sequence> batch;
    batch.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) batch.push_back(source.evaluation_sequence(part, first + i));
    total += count * engine.loss(make_batch(batch, engine.layout(), engine.config().block_size));
  }
  return total / sequences;
}

}  // namespace ladder
