#include "shared/tile/model.hpp"

#include <cstdlib>
#include <memory>

#include "shared/device/worker_pool.hpp"

namespace ladder::tile {
namespace {

int from_environment(const char* name, int fallback) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return fallback;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  require(*end == '\0' && value >= 0 && value <= 4096, "{}={}: a number from 0 to 4096 is needed", name,
          text);
  return static_cast<int>(value);
}

/// Puts back what this_block was when a launch ends, also by an exception.
class BlockScope {
 public:
  BlockScope() : before_(this_block) {}
  BlockScope(const BlockScope&) = delete;
  BlockScope& operator=(const BlockScope&) = delete;
  ~BlockScope() { this_block = before_; }

 private:
  Block before_;
};

void run_blocks(const Launch& launch, std::size_t begin, std::size_t end,
                const std::function<void()>& block) {
  const BlockScope scope;
  const Grid& grid = launch.grid;
  BlockLog* log = current_log();
  for (std::size_t number = begin; number < end; ++number) {
    const auto n = static_cast<std::uint32_t>(number);
    const Index id{n % grid.x, n / grid.x % grid.y, n / grid.x / grid.y};
    const bool followed = log != nullptr && log->follows(launch.name, id);
    this_block = {launch.name, id, grid, n, checks_on(), followed ? log : nullptr};
    block();
  }
}

}  // namespace

Options& options() {
  static Options chosen{from_environment("LADDER_TILE_THREADS", 0), from_environment("LADDER_TILE_SMS", 4)};
  return chosen;
}

WorkerPool* shared_workers() {
  static std::unique_ptr<WorkerPool> pool;
  static int threads = -1;
  if (threads != options().threads) {
    threads = options().threads;
    pool = threads == 1 ? nullptr : std::make_unique<WorkerPool>(threads);
  }
  return pool.get();
}

void run_grid(const Launch& launch, WorkerPool* workers, const std::function<void()>& block) {
  const std::size_t count = launch.grid.count();
  if (checks_on()) detail::begin_checked_launch();
  if (current_log() != nullptr) current_log()->launched(launch);
  if (workers == nullptr || count == 1 || checks_on() || current_log() != nullptr)
    run_blocks(launch, 0, count, block);
  else
    workers->parallel(count,
                      [&](std::size_t begin, std::size_t end) { run_blocks(launch, begin, end, block); });
}

}  // namespace ladder::tile
