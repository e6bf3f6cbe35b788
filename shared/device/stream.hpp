// Stream: where the launches of one Ops go, and the temporary memory they may use. The
// same class for both sides.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "shared/device/hints.hpp"

namespace ladder {

class WorkerPool;

/// One queue of launches that run in order. On a GPU `handle` is its cudaStream_t; on the CPU model a launch
/// is done when it returns, and `workers` are the threads that share its blocks.
class Stream {
 public:
  void* handle = nullptr;
  WorkerPool* workers = nullptr;
  /// Walks through launches without starting any. A step's body is walked once like this before
  /// its first run, so that the workspace has its final size and nothing is allocated while
  /// kernels run or a graph is recorded.
  bool dry = false;
  /// Gives memory for the workspace; set by the owner of the stream.
  std::function<void*(std::size_t)> allocate;
  /// Told of each piece of workspace that is handed out; may be empty.
  std::function<void(const void*, std::size_t)> lent;

  /// `bytes` of temporary memory. It is the launcher's until the last kernel it launches has ended; the next
  /// launcher on this stream gets the same memory again.
  void* workspace(std::size_t bytes) {
    if (bytes > workspace_bytes_) {
      // Twice the last one at least: text that grows by a token asks for a little more each time.
      const std::size_t grown = std::max(bytes, 2 * workspace_bytes_);
      workspace_ = allocate(grown);  // may throw: the old one then stays what it was
      workspace_bytes_ = grown;
    }
    if (lent) lent(workspace_, bytes);
    return workspace_;
  }

  /// A kernel with its hints, and how often it was launched.
  struct Launched {
    const char* kernel;  ///< a string literal
    Hints hints;
    std::size_t count;
  };

  /// Notes that `kernel` (a string literal) was launched.
  void record(const char* kernel, const Hints& hints = {}) {
    last_ = kernel;
    for (Launched& one : launched_)
      if (one.kernel == kernel && one.hints == hints) {
        ++one.count;
        return;
      }
    launched_.push_back({kernel, hints, 1});
  }

  /// Every kernel launched so far, once for each choice of hints, in the order of their first launches.
  const std::vector<Launched>& launched() const { return launched_; }

  /// The kernel launched last, for the message of an error that only shows later.
  const char* last() const { return last_; }

  /// All kernels launched so far, each once, sorted.
  std::vector<std::string> kernels() const {
    std::vector<std::string> names;
    names.reserve(launched_.size());
    for (const Launched& one : launched_) names.emplace_back(one.kernel);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

 private:
  void* workspace_ = nullptr;
  std::size_t workspace_bytes_ = 0;
  const char* last_ = "none";
  std::vector<Launched> launched_;  // few: compared by address, no allocation in a step
};

/// Sets stream.dry for as long as it lives, also when what it walks through throws.
class DryWalk {
 public:
  explicit DryWalk(Stream& stream) : stream_(stream) { stream_.dry = true; }
  DryWalk(const DryWalk&) = delete;
  DryWalk& operator=(const DryWalk&) = delete;
  ~DryWalk() { stream_.dry = false; }

 private:
  Stream& stream_;
};

}  // namespace ladder
