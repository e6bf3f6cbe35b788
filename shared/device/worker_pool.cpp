#include "shared/device/worker_pool.hpp"

#include <algorithm>
#include <utility>

namespace ladder {

WorkerPool::WorkerPool(int threads) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned wanted = threads > 0 ? static_cast<unsigned>(threads) : cores;
  for (unsigned i = 1; i < wanted; ++i) workers_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    start_.wait(lock, [this] { return stop_ || next_ < count_; });
    if (stop_) return;
    take_pieces(lock);
  }
}

// Entered and left with the lock held; the lock is open while a piece runs.
void WorkerPool::take_pieces(std::unique_lock<std::mutex>& lock) {
  while (next_ < count_) {
    const std::size_t begin = next_;
    const std::size_t end = std::min(count_, begin + piece_);
    next_ = end;
    ++running_;
    std::exception_ptr failure;
    lock.unlock();
    try {
      (*body_)(begin, end);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --running_;
    if (failure && (!failure_ || begin < failed_at_)) {
      failure_ = failure;
      failed_at_ = begin;
    }
  }
  if (running_ == 0) finished_.notify_all();
}

void WorkerPool::parallel(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body) {
  if (workers_.empty() || count < 2) {
    if (count > 0) body(0, count);
    return;
  }
  std::unique_lock lock(mutex_);
  body_ = &body;
  failure_ = nullptr;
  next_ = 0;
  count_ = count;
  piece_ = std::max<std::size_t>(1, count / (static_cast<std::size_t>(threads()) * 4));
  start_.notify_all();
  take_pieces(lock);
  finished_.wait(lock, [this] { return running_ == 0 && next_ >= count_; });
  count_ = next_ = 0;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace ladder
