#include "shared/train/engine_memory.hpp"

#include <cstdint>
#include <limits>

#include "shared/base/checked_size.hpp"
#include "shared/base/error.hpp"
#include "shared/device/cpu_runtime.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/gpt2.hpp"
#include "shared/model/microgpt.hpp"
#include "shared/model/parameters.hpp"

namespace ladder {
namespace {

double gibibytes(std::size_t bytes) { return static_cast<double>(bytes) / 0x1p30; }

/// Parameters, gradients, two moments and, of narrow parameters, master weights; and the activations.
std::size_t model_bytes(const GptConfig& config, const Ops& ops, int rows) {
  const Precision precision = Precision::of(ops.dtype());
  const bool own_master = size_of(precision.parameter) == 2;
  const std::size_t each = size_of(precision.parameter) + size_of(precision.gradient) +
                           (own_master ? 3 : 2) * size_of(precision.master);
  const ActivationPlan plan = config.architecture == Architecture::gpt2
                                  ? plan_gpt2_activations(config, ops, rows)
                                  : plan_activations(config, ops, rows);
  return checked_sum({checked_product({parameter_count(config), each}, "the parameters"), plan.bytes()},
                     "the model");
}

}  // namespace

int most_rows(const GptConfig& config, int max_batch) {
  const std::int64_t rows = std::int64_t{max_batch} * config.block_size;
  require(rows <= std::numeric_limits<std::int32_t>::max(),
          "--batch-size {} times --block-size {}: a micro-batch has at most 2^31-1 rows", max_batch,
          config.block_size);
  return static_cast<int>(rows);
}

std::size_t ops_engine_bytes(const GptConfig& config, const Ops& ops, int max_batch, int grad_accum) {
  const int rows = most_rows(config, max_batch);
  const std::size_t integers = 4 * static_cast<std::size_t>(rows) + 2 * static_cast<std::size_t>(max_batch);
  const std::size_t slots = checked_product(
      {static_cast<std::size_t>(grad_accum), integers, sizeof(std::int32_t)}, "the micro-batches of a step");
  return checked_sum({model_bytes(config, ops, rows), slots}, "the model");
}

std::size_t step_batches_bytes(int max_batch, int grad_accum) {
  const std::size_t each = sizeof(Batch) + 2 * static_cast<std::size_t>(max_batch) * sizeof(std::int32_t);
  return checked_product({static_cast<std::size_t>(grad_accum), each}, "the micro-batches of a step");
}

void require_host_memory(std::size_t bytes, const char* what) {
  const std::size_t available = on_cpu::available_bytes();
  if (available == 0 || bytes <= available) return;
  throw MachineError(
      fmt::format("out of memory: {} needs about {:.1f} GiB, {:.1f} GiB are available: choose a smaller "
                  "model, batch or block",
                  what, gibibytes(bytes), gibibytes(available)));
}

}  // namespace ladder
