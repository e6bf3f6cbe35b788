#include "shared/train/batch_prefetcher.hpp"

#include <system_error>
#include <utility>

#include "shared/base/error.hpp"

namespace ladder {

BatchPrefetcher::BatchPrefetcher(const TokenSource& source, Layout layout, Ranks ranks, std::int64_t first,
                                 std::int64_t end)
    : source_(source), layout_(layout), ranks_(ranks), next_(first), end_(end) {
  if (source.largest_step() < kAheadFrom || first >= end) return;
  try {
    worker_ = std::thread([this, first] { work(first); });
  } catch (const std::system_error&) {
    // A system that gives no thread more: next() makes each batch itself, which only takes longer.
  }
}

BatchPrefetcher::~BatchPrefetcher() {
  if (!worker_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void BatchPrefetcher::work(std::int64_t first) {
  for (std::int64_t s = first; s < end_; ++s) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || !made_; });
    if (stop_) return;
    lock.unlock();
    std::vector<Batch> batches;
    std::exception_ptr failure;
    try {
      batches = source_.step(s, layout_, ranks_.rank, ranks_.ranks);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    made_ = std::move(batches);
    failure_ = failure;
    changed_.notify_all();
    if (failure) return;
  }
}

std::vector<Batch> BatchPrefetcher::next() {
  require(next_ < end_, "step {} was asked for, the last one is {}", next_, end_ - 1);
  std::vector<Batch> batches =
      worker_.joinable() ? take() : source_.step(next_, layout_, ranks_.rank, ranks_.ranks);
  ++next_;  // not where it threw: the same step throws again, however often it is asked for
  return batches;
}

std::vector<Batch> BatchPrefetcher::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return made_.has_value(); });
  if (failure_) std::rethrow_exception(failure_);
  std::vector<Batch> batches = std::move(*made_);
  made_.reset();
  lock.unlock();
  changed_.notify_all();
  return batches;
}

}  // namespace ladder
