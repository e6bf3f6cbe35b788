// WorkerPool: a fixed set of threads that share the blocks of a launch on the CPU model.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ladder {

class WorkerPool {
 public:
  /// `threads` in all, the calling one included; 0: one for each core.
  explicit WorkerPool(int threads);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(begin, end) for pieces that cover 0..count-1 once, on all threads, and returns when all are
  /// done. Pieces are small, handed out in order. When some throw, the exception of the first piece in order
  /// is rethrown, so the same error is reported whatever the threads did.
  void parallel(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body);

 private:
  void work();
  void take_pieces(std::unique_lock<std::mutex>& lock);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  const std::function<void(std::size_t, std::size_t)>* body_ = nullptr;
  std::size_t count_ = 0, piece_ = 1, next_ = 0, running_ = 0;
  std::size_t failed_at_ = 0;
  std::exception_ptr failure_;
  bool stop_ = false;
};

}  // namespace ladder
