// MemoryWatch: who is told what a Runtime of the CPU models does with memory. The tile model's checked mode is one, and
// so knows every buffer of an Ops by itself.
#pragma once

#include <cstddef>

namespace ladder {

class MemoryWatch {
 public:
  MemoryWatch() = default;
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  virtual ~MemoryWatch() = default;

  /// `bytes`, all zero, belong to the caller from now on.
  virtual void allocated(const void* data, std::size_t bytes) = 0;
  virtual void released(const void* data) = 0;
  /// A launcher has the first `bytes` at `data` as its workspace, and must not count on what is there.
  virtual void lent(const void* data, std::size_t bytes) = 0;
  /// The host wrote: by an upload, or zeros.
  virtual void written(const void* data, std::size_t bytes) = 0;
};

/// The one that is told, or null.
inline constinit MemoryWatch* memory_watch = nullptr;

}  // namespace ladder
