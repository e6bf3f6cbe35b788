#include "shared/tile/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "shared/device/memory_watch.hpp"

namespace ladder::tile {
namespace {

constexpr std::uint32_t kNobody = 0;  // blocks are remembered as their number + 1

/// What happened to one element: valid for `launch` only, except `written`.
struct Shadow {
  std::uint32_t launch = 0;
  std::uint32_t writer = kNobody, reader = kNobody;  ///< the first reader: a block that ran before this one
  bool written = false;
};

struct Record {
  std::string name;
  const char* begin;
  std::size_t bytes;
  std::size_t element_bytes;  ///< what one shadow stands for
  std::vector<Shadow> shadows;
  bool typed = true;        ///< element_bytes is the size of its elements; if not, only a divisor of it
  bool of_runtime = false;  ///< forgotten when checked mode ends
  int parts = 0;            ///< of an allocation: records inside it

  bool has(const char* address) const { return address >= begin && address < begin + bytes; }
};

using Records = std::map<const char*, Record>;  // by address of the first byte

bool checking = false;
std::uint32_t launch_number = 0;
Records buffers;      // those with a name: a Buffer each, and workspaces
Records allocations;  // of the Runtimes; buffers may lie inside

/// The element types' smallest size: a shadow of a Runtime's memory, whose types are not known, stands for so much.
constexpr std::size_t kSmallestElement = 2;

/// The record of `records` that begins last at or before `address`, or null.
Record* record_before(Records& records, const char* address) {
  const auto after = records.upper_bound(address);
  return after == records.begin() ? nullptr : &std::prev(after)->second;
}

/// The record that an access at `address` is judged by: the buffer it lies in; the allocation, when that has no named
/// parts; else what ends in front of it, of which it is out of bounds. Null when there is none.
Record* record_of(const char* address) {
  Record* buffer = record_before(buffers, address);
  if (buffer != nullptr && buffer->has(address)) return buffer;
  Record* allocation = record_before(allocations, address);
  if (allocation == nullptr) return buffer;
  if (allocation->has(address)) return allocation->parts == 0 ? allocation : buffer;
  return buffer != nullptr && buffer->begin > allocation->begin ? buffer : allocation;
}

Record make_record(std::string name, const void* data, std::size_t bytes, std::size_t element_bytes,
                   Contents contents) {
  Record record{std::move(name), static_cast<const char*>(data), bytes, element_bytes,
                std::vector<Shadow>((bytes + element_bytes - 1) / element_bytes)};
  for (Shadow& shadow : record.shadows) shadow.written = contents == Contents::written;
  return record;
}

/// Notes that the allocation around `data`, if any, has one named part more or less.
void count_part(const char* data, int change) {
  Record* allocation = record_before(allocations, data);
  if (allocation != nullptr && allocation->has(data)) allocation->parts += change;
}

void add_buffer(Record record) {
  count_part(record.begin, 1);
  const char* begin = record.begin;
  buffers.insert_or_assign(begin, std::move(record));
}

void remove_buffer(const char* begin) {
  if (buffers.erase(begin) != 0) count_part(begin, -1);
}

void mark_written_in(Records& records, const char* from, const char* to) {
  Record* first = record_before(records, from);
  for (auto at = first == nullptr ? records.begin() : records.find(first->begin);
       at != records.end() && at->first < to; ++at) {
    Record& record = at->second;
    const char* begin = std::max(from, record.begin);
    const char* end = std::min(to, record.begin + record.bytes);
    if (begin >= end) continue;
    const auto last = static_cast<std::size_t>(end - 1 - record.begin) / record.element_bytes;
    for (auto i = static_cast<std::size_t>(begin - record.begin) / record.element_bytes; i <= last; ++i)
      record.shadows[i].written = true;
  }
}

/// What a Runtime does with memory while checked mode is on.
class RuntimeMemory final : public MemoryWatch {
 public:
  void allocated(const void* data, std::size_t bytes) override {
    add(allocations, fmt::format("allocation of {} bytes", bytes), data, bytes, Contents::written);
  }
  void released(const void* data) override {
    const auto found = allocations.find(static_cast<const char*>(data));
    if (found == allocations.end()) return;
    const char* end = found->second.begin + found->second.bytes;
    buffers.erase(buffers.lower_bound(found->second.begin), buffers.lower_bound(end));
    allocations.erase(found);
  }
  void lent(const void* data, std::size_t bytes) override {
    remove_buffer(static_cast<const char*>(data));
    if (bytes == 0) return;
    count_part(static_cast<const char*>(data), 1);
    add(buffers, "workspace", data, bytes, Contents::unwritten);
  }
  void written(const void* data, std::size_t bytes) override { mark_written(data, bytes); }

 private:
  static void add(Records& records, std::string name, const void* data, std::size_t bytes,
                  Contents contents) {
    Record record = make_record(std::move(name), data, bytes, kSmallestElement, contents);
    record.typed = false;
    record.of_runtime = true;
    records.insert_or_assign(record.begin, std::move(record));
  }
};

RuntimeMemory runtime_memory;

std::string block_name(std::uint32_t marker) {
  const Grid& grid = this_block.grid;
  const std::uint32_t number = marker - 1;
  return fmt::format("({}, {}, {})", number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y);
}

/// One element of a record, for messages.
struct Place {
  const detail::Access& access;
  std::size_t flat_element;
  const Record& record;
  std::ptrdiff_t number, count;  ///< which element of the record, and of how many

  std::string text() const {
    return fmt::format("{}: element {} of buffer '{}'", describe(access, flat_element), number, record.name);
  }
};

/// Throws unless another block's use of the element, in this launch, agrees with this one.
void check_race(const Place& place, const Shadow& shadow, bool writes) {
  const std::uint32_t me = this_block.number + 1;
  if (shadow.writer != kNobody && shadow.writer != me)
    fault(FaultKind::race, fmt::format("{}, which block {} writes in the same launch", place.text(),
                                       block_name(shadow.writer)));
  if (writes && shadow.reader != kNobody && shadow.reader != me)
    fault(FaultKind::race, fmt::format("{}, which block {} reads in the same launch", place.text(),
                                       block_name(shadow.reader)));
}

void note(Shadow& shadow, bool writes) {
  const std::uint32_t me = this_block.number + 1;
  if (writes) {
    shadow.writer = me;
    shadow.written = true;
  } else if (shadow.reader == kNobody) {
    shadow.reader = me;
  }
}

/// "load of tile 8x64 at index (0, 3)"; pointers have no index.
std::string describe_operation(const detail::Access& access) {
  if (access.rank == 0) return fmt::format("{} of one element", access.operation);
  std::string text = fmt::format("{} of tile {}", access.operation,
                                 fmt::join(access.extents, access.extents + access.rank, "x"));
  if (access.tile_index != nullptr)
    text +=
        fmt::format(" at index ({})", fmt::join(access.tile_index, access.tile_index + access.rank, ", "));
  return text;
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::out_of_bounds:
      return "out of bounds";
    case FaultKind::unmasked_tail:
      return "unmasked tail";
    case FaultKind::race:
      return "race";
    case FaultKind::unwritten_read:
      return "read of memory that nothing wrote";
    case FaultKind::false_alignment:
      return "false alignment";
    case FaultKind::false_divisibility:
      return "false divisibility";
  }
  return "fault";
}

void fault(FaultKind kind, const std::string& what) {
  const Block& block = this_block;
  throw Fault(kind, fmt::format("kernel {}, block ({}, {}, {}): {}: {}", block.kernel, block.id.x, block.id.y,
                                block.id.z, name_of(kind), what));
}

Checks::Checks() {
  require(!checking, "the tile model's checked mode is already on");
  checking = true;
  memory_watch = &runtime_memory;
}
Checks::~Checks() {
  checking = false;
  memory_watch = nullptr;
  allocations.clear();
  std::erase_if(buffers, [](const auto& entry) { return entry.second.of_runtime; });
}

bool checks_on() { return checking; }

Buffer::Buffer(std::string name, const void* data, std::size_t count, std::size_t element_bytes,
               Contents contents)
    : data_(data) {
  const char* begin = static_cast<const char*>(data);
  const std::size_t bytes = count * element_bytes;
  const Record* before = record_before(buffers, begin + (bytes == 0 ? 0 : bytes - 1));
  if (before != nullptr)
    require(before->begin + before->bytes <= begin, "buffer '{}' overlaps buffer '{}'", name, before->name);
  const Record* allocation = record_before(allocations, begin);
  if (allocation != nullptr && allocation->has(begin))
    require(begin + bytes <= allocation->begin + allocation->bytes, "buffer '{}' is larger than its {}", name,
            allocation->name);
  add_buffer(make_record(std::move(name), data, bytes, element_bytes, contents));
}

Buffer::~Buffer() { remove_buffer(static_cast<const char*>(data_)); }

std::string buffer_name(const void* address) {
  const char* at = static_cast<const char*>(address);
  const Record* buffer = record_before(buffers, at);
  return buffer != nullptr && buffer->has(at) ? buffer->name : "";
}

void mark_written(const void* data, std::size_t bytes) {
  const char* begin = static_cast<const char*>(data);
  mark_written_in(buffers, begin, begin + bytes);
  mark_written_in(allocations, begin, begin + bytes);
}

namespace detail {

std::string describe(const Access& access, std::size_t flat_element) {
  std::string element;
  for (std::size_t d = access.rank; d-- > 0; flat_element /= access.extents[d])
    element = fmt::format("{}{}{}", flat_element % access.extents[d], element.empty() ? "" : ", ", element);
  return fmt::format("{}, its element ({})", describe_operation(access), element);
}

std::string describe_tile(const Access& access) {
  const Record* found = record_of(static_cast<const char*>(access.tensor));
  if (found == nullptr) return describe_operation(access);
  return fmt::format("{} of buffer '{}'", describe_operation(access), found->name);
}

void no_such_part(std::size_t part, std::size_t dimension, std::size_t parts) {
  throw InputError(fmt::format("kernel {}: part {} along dimension {} of a tile that has {}",
                               this_block.kernel, part, dimension, parts));
}

void false_alignment(std::int64_t promised, std::uintptr_t address) {
  fault(FaultKind::false_alignment,
        fmt::format("assume_aligned<{}> of an address that is {} bytes past such a boundary", promised,
                    address % static_cast<std::uintptr_t>(promised)));
}

void not_divisible(std::int64_t promised, std::int64_t number) {
  fault(FaultKind::false_divisibility, fmt::format("assume_divisible<{}> of {}", promised, number));
}

void not_bounded(std::int64_t low, std::int64_t high, std::int64_t number) {
  fault(FaultKind::false_divisibility, fmt::format("assume_bounded<{}, {}> of {}", low, high, number));
}

void begin_checked_launch() { ++launch_number; }

void check_element(const Access& access, std::size_t flat_element, const void* address, std::size_t bytes,
                   bool writes) {
  const char* at = static_cast<const char*>(address);
  // The buffer is the one that the view's tensor begins in: an element that lands in a neighbour
  // is outside all the same.
  Record* found = record_of(access.tensor != nullptr ? static_cast<const char*>(access.tensor) : at);
  if (found == nullptr)
    fault(FaultKind::out_of_bounds,
          fmt::format("{}: the address is in no registered buffer", describe(access, flat_element)));
  Record& record = *found;
  const std::ptrdiff_t offset = at - record.begin;
  const auto size = static_cast<std::ptrdiff_t>(bytes), all = static_cast<std::ptrdiff_t>(record.bytes);
  const auto unit = record.typed ? static_cast<std::ptrdiff_t>(record.element_bytes) : size;
  const Place place{access, flat_element, record, (offset - (offset < 0 ? unit - 1 : 0)) / unit, all / unit};
  if (offset < 0 || offset + size > all)
    fault(FaultKind::out_of_bounds, fmt::format("{}, which has {}", place.text(), place.count));
  const std::size_t first = static_cast<std::size_t>(offset) / record.element_bytes;
  const std::size_t last = static_cast<std::size_t>(offset + size - 1) / record.element_bytes;
  for (std::size_t i = first; i <= last; ++i) {
    Shadow& shadow = record.shadows[i];
    if (shadow.launch != launch_number) shadow = {.launch = launch_number, .written = shadow.written};
    if (!writes && !shadow.written) fault(FaultKind::unwritten_read, place.text());
    check_race(place, shadow, writes);
    note(shadow, writes);
  }
}

}  // namespace detail
}  // namespace ladder::tile
