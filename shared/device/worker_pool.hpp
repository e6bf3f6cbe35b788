// WorkerPool: a fixed set of threads that share numbered pieces of work: the blocks of a launch on the CPU
// models, the parts of a large product in stage 1.
//
// Who computes a piece never changes its result, so results do not depend on the number of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ladder {

class WorkerPool {
 public:
  /// Starts one worker: a thread that runs `serve`, after whatever is set for a whole thread,
  /// such as flushing denormals.
  using Start = std::function<std::thread(std::function<void()> serve)>;

  /// `threads` in all, the calling one included: 1 starts none; 0: one for each core, or as many as the system
  /// gives. Throws MachineError when it does not give a number that was asked for, with no thread left behind.
  explicit WorkerPool(int threads, const Start& start = start_thread);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(i) once for every i in [0, pieces), on all threads, handed out in order, and returns when all
  /// are done. Allocates nothing. `work` must not throw.
  template <class Work>
  void for_each(int pieces, const Work& work) {
    if (workers_.empty() || pieces <= 1) {
      for (int i = 0; i < pieces; ++i) work(i);
      return;
    }
    run(
        pieces, [](const void* context, int i) { (*static_cast<const Work*>(context))(i); }, &work);
  }

  /// Calls body(begin, end) for small ranges that cover 0..count-1 once. When some throw, the exception of the
  /// first range in order is rethrown, so the same error is reported whatever the threads did.
  void parallel(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body);

  /// The usual way: a std::thread and nothing else.
  static std::thread start_thread(std::function<void()> serve);

 private:
  using Call = void (*)(const void* context, int piece);

  void run(int pieces, Call call, const void* context);
  void take_pieces(int pieces, Call call, const void* context);
  void serve();
  void stop();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  // What is being shared out; pieces_ is 0 between two calls.
  Call call_ = nullptr;
  const void* context_ = nullptr;
  int pieces_ = 0;
  std::atomic<int> next_ = 0;
  int running_ = 0;  ///< workers inside a call; one that wakes late takes no part, and nobody waits for it
  bool stop_ = false;
};

}  // namespace ladder
