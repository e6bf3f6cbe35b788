// Engines and batches that the tests of stage 1 share.
#pragma once

#include "shared/check/cases.hpp"
#include "shared/train/ops_engine.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/support/models.hpp"

namespace ladder::stage1_tests {

using testing::model_of;
using testing::random_parameters;

inline std::unique_ptr<Engine> engine_of(const GptConfig& config, int max_batch, Dtype dtype = Dtype::fp64,
                                         int threads = 1) {
  auto engine = make_ops_engine(config, make_eigen_ops(dtype, threads), max_batch);
  engine->load_parameters(random_parameters(config, 0.3));
  return engine;
}

/// The batches of the single sequences of `batch`.
inline std::vector<Batch> singles(const Batch& batch, Layout layout, int block_size) {
  std::vector<Batch> result;
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b) {
    const auto first = batch.starts_b[b], last = first + batch.lengths_b[b];
    const Sequence sequence{{batch.tokens_n.begin() + first, batch.tokens_n.begin() + last},
                            {batch.targets_n.begin() + first, batch.targets_n.begin() + last}};
    result.push_back(make_batch(std::span(&sequence, 1), layout, block_size));
  }
  return result;
}

}  // namespace ladder::stage1_tests
