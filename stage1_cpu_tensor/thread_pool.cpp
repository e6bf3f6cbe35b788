#include "stage1_cpu_tensor/thread_pool.hpp"

#include "stage1_cpu_tensor/flush_denormals.hpp"

namespace ladder {

ThreadPool::ThreadPool(int threads) {
  const int wanted = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
  for (int i = 1; i < wanted; ++i) workers_.emplace_back([this] { serve(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int pieces, Call call, const void* context) {
  {
    const std::lock_guard lock(mutex_);
    call_ = call;
    context_ = context;
    pieces_ = pieces;
    next_ = 0;
    busy_ = static_cast<int>(workers_.size());
    ++round_;
  }
  start_.notify_all();
  work_on_pieces();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

void ThreadPool::work_on_pieces() {
  for (int i = next_++; i < pieces_; i = next_++) call_(context_, i);
}

void ThreadPool::serve() {
  const eigen::FlushDenormals flush;
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    start_.wait(lock, [&] { return stop_ || round_ != seen; });
    if (stop_) return;
    seen = round_;
    lock.unlock();
    work_on_pieces();
    lock.lock();
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace ladder
