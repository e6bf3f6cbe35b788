#include "shared/train/engine_memory.hpp"

#include <cstdint>
#include <limits>

#include "shared/base/checked_size.hpp"
#include "shared/base/error.hpp"
#include "shared/base/process_limits.hpp"
#include "shared/device/cpu_runtime.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/gpt2.hpp"
#include "shared/model/microgpt.hpp"
#include "shared/model/parameters.hpp"
#include "shared/train/batch_prefetcher.hpp"

namespace ladder {
namespace {

/// "1.5 GiB"; "300.0 MiB" where there is less than one.
std::string size_text(std::size_t bytes) {
  const auto size = static_cast<double>(bytes);
  return size < 0x1p30 ? fmt::format("{:.1f} MiB", size / 0x1p20) : fmt::format("{:.1f} GiB", size / 0x1p30);
}

/// Of stage 0's tape, behind the parameters: what one sequence of block_size positions writes, counted along its model
/// text. A linear layer's output is one slot; the heads' scores and weights are six for each pair of positions.
std::size_t tape_bytes(const GptConfig& config) {
  const char* what = "stage 0's tape";
  const auto T = static_cast<std::size_t>(config.block_size), C = static_cast<std::size_t>(config.n_embd),
             H = static_cast<std::size_t>(config.n_head), L = static_cast<std::size_t>(config.n_layer),
             V = static_cast<std::size_t>(config.vocab_size);
  const std::size_t pairs = checked_product({T, T + 1}, what) / 2;
  const std::size_t layer =
      checked_sum({checked_product({T, 18 * C + H + 8}, what), checked_product({6, H, pairs}, what)}, what);
  const std::size_t slots =
      checked_sum({parameter_count(config), checked_product({T, 2 * C + 5 * V + 7}, what),
                   checked_product({L, layer}, what), 2},
                  what);
  // The arrays double when they are full; a slot is a node, two derivatives, a number, its gradient and a mark. Beside
  // them lie the order of the slots, and the keys and values of each head by their slots.
  std::size_t capacity = 1024;
  while (capacity < slots) capacity *= 2;
  constexpr std::size_t kSlot = 16 + 16 + 8 + 8 + 1;
  const std::size_t lists = checked_product({2 * sizeof(std::uint32_t), L, C, pairs}, what);
  return checked_sum({checked_product({capacity, kSlot}, what),
                      checked_product({slots, 2 * sizeof(std::uint32_t)}, what), lists},
                     what);
}

/// 0 available: the machine does not say what it has.
void require_available(std::size_t bytes, std::size_t available, const std::string& what,
                       const std::string& cure) {
  if (available == 0 || bytes <= available) return;
  throw MachineError(fmt::format("out of memory: {} needs about {}, {} are available: {}", what,
                                 size_text(bytes), size_text(available), cure));
}

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

MemoryPlan plan_scalar_memory(const GptConfig& config, int max_batch, int grad_accum) {
  most_rows(config, max_batch);
  const std::size_t numbers = checked_product({parameter_count(config), sizeof(double)}, "the parameters");
  return {numbers, numbers, 2 * numbers, tape_bytes(config),
          step_batches_bytes(config, max_batch, grad_accum)};
}

int largest_batch(const GptConfig& config, const std::function<MemoryPlan(int max_batch)>& plan,
                  std::size_t bytes) {
  // Between a batch that fits (or 0) and one that does not; sizes grow with the batch.
  int fits = 0, too_large = std::numeric_limits<std::int32_t>::max() / config.block_size;
  while (too_large - fits > 1) {
    const int middle = fits + (too_large - fits) / 2;
    const bool is_small = [&] {
      try {
        return plan(middle).total() <= bytes;
      } catch (const MachineError&) {  // more than can be addressed
        return false;
      }
    }();
    (is_small ? fits : too_large) = middle;
  }
  return fits;
}

std::size_t step_batches_bytes(const GptConfig& config, int max_batch, int grad_accum) {
  const auto batch = static_cast<std::size_t>(max_batch), steps = static_cast<std::size_t>(grad_accum);
  const auto rows = static_cast<std::size_t>(most_rows(config, max_batch));
  constexpr std::size_t kBlock = 16;  // what the allocator takes for itself
  // A micro-batch is laid out from its sequences, of which each has two lists; all its lists but one grow by doubling.
  const std::size_t sequences = batch * (sizeof(Sequence) + 2 * kBlock) + 2 * rows * sizeof(std::int32_t);
  const std::size_t laid_out = sizeof(Batch) + (7 * rows + 4 * batch) * sizeof(std::int32_t);
  const bool ahead = static_cast<double>(rows) * grad_accum >= BatchPrefetcher::kAheadFrom;
  const char* what = "the micro-batches of a step";
  return checked_sum({sequences, checked_product({steps, laid_out, ahead ? std::size_t{2} : 1}, what)}, what);
}

void require_room(std::span<const EngineNeeds> engines, std::size_t beside, const std::string& what,
                  const std::string& cure) {
  std::size_t on_host = beside, on_gpu = 0, of_gpu = 0;
  for (const EngineNeeds& needs : engines) {
    std::size_t& taken = needs.on_host ? on_host : on_gpu;
    taken = checked_sum({taken, needs.plan.total()}, what);
    if (!needs.on_host) of_gpu = needs.available;
  }
  require_available(on_host, within_memory_limits(on_cpu::available_bytes()), what, cure);
  require_available(on_gpu, of_gpu, what + ", of the GPU's memory,", cure);
}

void require_host_memory(std::size_t bytes, const std::string& what) { require_room({}, bytes, what); }

}  // namespace ladder
