#include "shared/device/worker_pool.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "shared/base/error.hpp"

namespace ladder {

std::thread WorkerPool::start_thread(std::function<void()> serve) { return std::thread(std::move(serve)); }

WorkerPool::WorkerPool(int threads, const Start& start) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned wanted = threads > 0 ? static_cast<unsigned>(threads) : cores;
  try {
    workers_.reserve(wanted - 1);
    for (unsigned i = 1; i < wanted; ++i) workers_.push_back(start([this] { serve(); }));
  } catch (const std::exception& error) {
    if (threads == 0) return;  // nobody asked for a number: those that run, or the caller alone, do the work
    // No destructor follows a constructor that throws: the workers that run would wait for ever, and to drop
    // a thread that was not joined ends the program.
    stop();
    throw MachineError(fmt::format(
        "threads: {} asked for, {} started, then the system said: {}; ask for fewer with --threads N", wanted,
        this->threads(), error.what()));
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void WorkerPool::run(int pieces, Call call, const void* context) {
  {
    const std::lock_guard lock(mutex_);
    call_ = call;
    context_ = context;
    pieces_ = pieces;
    next_ = 0;
  }
  start_.notify_all();
  take_pieces(pieces, call, context);
  std::unique_lock lock(mutex_);
  pieces_ = 0;
  done_.wait(lock, [this] { return running_ == 0; });
}

void WorkerPool::take_pieces(int pieces, Call call, const void* context) {
  for (int i = next_++; i < pieces; i = next_++) call(context, i);
}

void WorkerPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    start_.wait(lock, [this] { return stop_ || next_ < pieces_; });
    if (stop_) return;
    ++running_;
    const int pieces = pieces_;
    const Call call = call_;
    const void* context = context_;
    lock.unlock();
    take_pieces(pieces, call, context);
    lock.lock();
    if (--running_ == 0) done_.notify_one();
  }
}

void WorkerPool::parallel(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body) {
  if (workers_.empty() || count < 2) {
    if (count > 0) body(0, count);
    return;
  }
  const std::size_t size = std::max<std::size_t>(1, count / (static_cast<std::size_t>(threads()) * 4));
  std::mutex failing;
  std::exception_ptr failure;
  int failed_at = 0;
  for_each(static_cast<int>((count + size - 1) / size), [&](int piece) {
    const std::size_t begin = static_cast<std::size_t>(piece) * size;
    try {
      body(begin, std::min(count, begin + size));
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure || piece < failed_at) {
        failure = std::current_exception();
        failed_at = piece;
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace ladder
