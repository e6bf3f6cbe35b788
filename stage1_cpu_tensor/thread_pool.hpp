// A small pool of threads for large products: numbered pieces of work, handed out in order.
//
// Who computes a piece never changes its result, so results do not depend on the number of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace ladder {

class ThreadPool {
 public:
  /// `threads` counts the caller: 1 starts none; 0 means one for each core.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(i) for every i in [0, pieces), on all threads, and returns when all are done. Allocates
  /// nothing. `work` must not throw.
  template <class Work>
  void for_each(int pieces, const Work& work) {
    if (workers_.empty() || pieces <= 1) {
      for (int i = 0; i < pieces; ++i) work(i);
      return;
    }
    run(
        pieces, [](const void* context, int i) { (*static_cast<const Work*>(context))(i); }, &work);
  }

 private:
  using Call = void (*)(const void* context, int piece);

  void run(int pieces, Call call, const void* context);
  void work_on_pieces();
  void serve();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  std::uint64_t round_ = 0;  ///< counts run() calls, so that a worker sees each exactly once
  int busy_ = 0;             ///< workers that have not finished this round
  bool stop_ = false;
  Call call_ = nullptr;
  const void* context_ = nullptr;
  int pieces_ = 0;
  std::atomic<int> next_ = 0;
};

}  // namespace ladder
