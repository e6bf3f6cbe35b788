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

}  // namespace

int most_rows(const GptConfig& config, int max_batch) {
  const std::int64_t rows = std::int64_t{max_batch} * config.block_size;
  require(rows <= std::numeric_limits<std::int32_t>::max(),
          "--batch-size {} times --block-size {}: a micro-batch has at most 2^31-1 rows", max_batch,
          config.block_size);
  return static_cast<int>(rows);
}

std::size_t MemoryPlan::total() const {
  return checked_sum({parameters, gradients, optimizer, activations, batches}, "the model");
}

MemoryPlan plan_memory(const GptConfig& config, const Ops& ops, int max_batch, int grad_accum) {
  const int rows = most_rows(config, max_batch);
  const Precision precision = Precision::of(ops.dtype());
  const std::size_t masters = size_of(precision.parameter) == 2 ? 3 : 2;  // with the moments
  const auto of_parameters = [&](std::size_t bytes_each) {
    return checked_product({parameter_count(config), bytes_each}, "the parameters");
  };
  const ActivationPlan plan = config.architecture == Architecture::gpt2
                                  ? plan_gpt2_activations(config, ops, rows)
                                  : plan_activations(config, ops, rows);
  const std::size_t integers = 4 * static_cast<std::size_t>(rows) + 2 * static_cast<std::size_t>(max_batch);
  return {of_parameters(size_of(precision.parameter)), of_parameters(size_of(precision.gradient)),
          of_parameters(masters * size_of(precision.master)), plan.bytes(),
          checked_product({static_cast<std::size_t>(grad_accum), integers, sizeof(std::int32_t)},
                          "the micro-batches of a step")};
}

int largest_batch(const GptConfig& config, const Ops& ops, int grad_accum, std::size_t bytes) {
  // Between a batch that fits (or 0) and one that does not; sizes grow with the batch.
  int fits = 0, too_large = std::numeric_limits<std::int32_t>::max() / config.block_size;
  while (too_large - fits > 1) {
    const int middle = fits + (too_large - fits) / 2;
    const bool is_small = [&] {
      try {
        return plan_memory(config, ops, middle, grad_accum).total() <= bytes;
      } catch (const MachineError&) {  // more than can be addressed
        return false;
      }
    }();
    (is_small ? fits : too_large) = middle;
  }
  return fits;
}

std::size_t step_batches_bytes(int max_batch, int grad_accum) {
  const std::size_t each = sizeof(Batch) + 2 * static_cast<std::size_t>(max_batch) * sizeof(std::int32_t);
  return checked_product({static_cast<std::size_t>(grad_accum), each}, "the micro-batches of a step");
}

void require_available(std::size_t bytes, std::size_t available, const char* what, const std::string& cure) {
  if (available == 0 || bytes <= available) return;
  throw MachineError(fmt::format("out of memory: {} needs about {:.1f} GiB, {:.1f} GiB are available: {}",
                                 what, gibibytes(bytes), gibibytes(available), cure));
}

void require_host_memory(std::size_t bytes, const char* what) {
  require_available(bytes, on_cpu::available_bytes(), what, "choose a smaller model, batch or block");
}

}  // namespace ladder
