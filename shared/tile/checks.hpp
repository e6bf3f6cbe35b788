// Checked mode: what a GPU lets pass, reported by name.
//
//   Checks checks;                                 // from here to the end of the scope
//   Buffer x("x", x_data, 512);                    // contents are there before the launch
//   Buffer y("y", y_data, 512, Contents::unwritten);
//   launch(rmsnorm<float>, {"rmsnorm", 4}, x_data, y_data, ...);
//
// The memory of an Ops that is made while a Checks exists is known without a Buffer, one buffer for each allocation:
// its Runtime reports it (memory_watch.hpp). What it hands out as workspace counts as unwritten each time. A Buffer
// inside an allocation names a part of it; then only what has a name may be touched there.
//
// Blocks then run one after the other on the calling thread, in order, and each access that no mask excludes is
// compared with the registered buffers and with a shadow of them that remembers, element by element, which block of
// this launch wrote and read it. Because the shadow remembers, a race is found although nothing runs at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/tile/block.hpp"

namespace ladder::tile {

enum class FaultKind {
  out_of_bounds,       ///< an element outside every buffer, or outside the buffer that its tile began in
  unmasked_tail,       ///< load() or store() of a tile that hangs over the end of its tensor
  race,                ///< two blocks write an element, or one reads what another writes, in one launch
  unwritten_read,      ///< nothing has written that element yet
  false_alignment,     ///< assume_aligned said something that is not so
  false_divisibility,  ///< assume_divisible, or assume_bounded, did
};

std::string_view name_of(FaultKind kind);

/// What a kernel did wrong: says which kernel, block, operation, buffer and element.
struct Fault : CheckError {
  Fault(FaultKind fault_kind, const std::string& message) : CheckError(message), kind(fault_kind) {}
  FaultKind kind;
};

/// Throws Fault with "kernel K, block (x, y, z): KIND: what".
[[noreturn]] void fault(FaultKind kind, const std::string& what);

/// Checked mode for the lifetime of this object; at most one exists at a time. Make it before the Ops that it watches.
class Checks {
 public:
  Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;
  ~Checks();
};

/// Whether checked mode is on.
bool checks_on();

enum class Contents { written, unwritten };

/// Makes a buffer known to checked mode, under a name for messages, as long as this object lives.
class Buffer {
 public:
  template <class T>
  Buffer(std::string name, const T* data, std::size_t count, Contents contents = Contents::written)
      : Buffer(std::move(name), static_cast<const void*>(data), count, sizeof(T), contents) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

 private:
  Buffer(std::string name, const void* data, std::size_t count, std::size_t element_bytes, Contents contents);
  const void* data_;
};

/// The name of the buffer that holds `address`; empty when none does.
std::string buffer_name(const void* address);

/// The host wrote these bytes itself: reading them is fine from now on. Elements that they cover in part count as well.
void mark_written(const void* data, std::size_t bytes);

namespace detail {

/// One access of one operation, for messages: "load of tile 8x64 at (0, 3), element (7, 12)".
struct Access {
  const char* operation;
  const std::size_t* extents;
  std::size_t rank;
  const std::int64_t* tile_index = nullptr;  ///< of a partition view; null for pointers
  const void* tensor = nullptr;              ///< where the view's tensor begins
};

std::string describe(const Access& access, std::size_t flat_element);

/// Without the element, and with the name of the tensor's buffer: "load of tile 8x64 at index (0, 3) of buffer 'x'".
std::string describe_tile(const Access& access);

/// Checks one element of `bytes` at `address`, the flat_element-th of its tile, and notes it in the shadow.
void check_element(const Access& access, std::size_t flat_element, const void* address, std::size_t bytes,
                   bool writes);

// What kernels and tile operations are refused for, in every mode.
[[noreturn]] void no_such_part(std::size_t part, std::size_t dimension, std::size_t parts);
[[noreturn]] void false_alignment(std::int64_t promised, std::uintptr_t address);
[[noreturn]] void not_divisible(std::int64_t promised, std::int64_t number);
[[noreturn]] void not_bounded(std::int64_t low, std::int64_t high, std::int64_t number);

/// A new launch begins: what other launches read and wrote cannot race with it.
void begin_checked_launch();

}  // namespace detail
}  // namespace ladder::tile
