#include "shared/tile/checks.hpp"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace ladder::tile {
namespace {

constexpr std::uint32_t kNobody = 0;  // blocks are remembered as their number + 1

/// What happened to one element: valid for `launch` only, except `written`.
struct Shadow {
  std::uint32_t launch = 0;
  std::uint32_t writer = kNobody, reader = kNobody, other_reader = kNobody;
  bool written = false;
};

struct Record {
  std::string name;
  std::size_t bytes, element_bytes;
  std::vector<Shadow> shadows;
};

bool checking = false;
std::uint32_t launch_number = 0;
std::map<const char*, Record> buffers;  // by address of the first byte

/// The buffer that begins last at or before `address`; buffers.end() when there is none.
auto buffer_before(const char* address) {
  auto after = buffers.upper_bound(address);
  return after == buffers.begin() ? buffers.end() : std::prev(after);
}

std::string block_name(std::uint32_t marker) {
  const Grid& grid = this_block.grid;
  const std::uint32_t number = marker - 1;
  return fmt::format("({}, {}, {})", number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y);
}

/// Throws unless another block's use of the element, in this launch, agrees with this one.
void check_race(const Record& record, const Shadow& shadow, const std::string& element, bool writes) {
  const std::uint32_t me = this_block.number + 1;
  if (shadow.writer != kNobody && shadow.writer != me)
    fault(FaultKind::race, fmt::format("{} of buffer '{}', which block {} writes in the same launch", element,
                                       record.name, block_name(shadow.writer)));
  const std::uint32_t reader = shadow.reader == me ? shadow.other_reader : shadow.reader;
  if (writes && reader != kNobody)
    fault(FaultKind::race, fmt::format("{} of buffer '{}', which block {} reads in the same launch", element,
                                       record.name, block_name(reader)));
}

void note(Shadow& shadow, bool writes) {
  const std::uint32_t me = this_block.number + 1;
  if (writes) {
    shadow.writer = me;
    shadow.written = true;
  } else if (shadow.reader == kNobody) {
    shadow.reader = me;
  } else if (shadow.reader != me) {
    shadow.other_reader = me;
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
}
Checks::~Checks() { checking = false; }

bool checks_on() { return checking; }

Buffer::Buffer(std::string name, const void* data, std::size_t count, std::size_t element_bytes,
               Contents contents)
    : data_(data) {
  const char* begin = static_cast<const char*>(data);
  const auto before = buffer_before(begin + (count == 0 ? 0 : count * element_bytes - 1));
  if (before != buffers.end())
    require(before->first + before->second.bytes <= begin, "buffer '{}' overlaps buffer '{}'", name,
            before->second.name);
  Record record{std::move(name), count * element_bytes, element_bytes, std::vector<Shadow>(count)};
  for (Shadow& shadow : record.shadows) shadow.written = contents == Contents::written;
  buffers.insert_or_assign(begin, std::move(record));
}

Buffer::~Buffer() { buffers.erase(static_cast<const char*>(data_)); }

void mark_written(const void* data, std::size_t bytes) {
  const char* address = static_cast<const char*>(data);
  const auto found = buffer_before(address);
  if (bytes == 0 || found == buffers.end() || address + bytes > found->first + found->second.bytes) return;
  Record& record = found->second;
  const auto begin = static_cast<std::size_t>(address - found->first);
  for (std::size_t i = begin / record.element_bytes; i <= (begin + bytes - 1) / record.element_bytes; ++i)
    record.shadows[i].written = true;
}

namespace detail {

std::string describe(const Access& access, std::size_t flat_element) {
  std::string element;
  for (std::size_t d = access.rank; d-- > 0; flat_element /= access.extents[d])
    element = fmt::format("{}{}{}", flat_element % access.extents[d], element.empty() ? "" : ", ", element);
  return fmt::format("{}, its element ({})", describe_operation(access), element);
}

std::string describe_tile(const Access& access) {
  const auto found = buffer_before(static_cast<const char*>(access.tensor));
  if (found == buffers.end()) return describe_operation(access);
  return fmt::format("{} of buffer '{}'", describe_operation(access), found->second.name);
}

void begin_checked_launch() { ++launch_number; }

void check_element(const Access& access, std::size_t flat_element, const void* address, std::size_t bytes,
                   bool writes) {
  const char* at = static_cast<const char*>(address);
  // The buffer is the one that the view's tensor begins in: an element that lands in a neighbour is outside all the same.
  const auto found = buffer_before(access.tensor != nullptr ? static_cast<const char*>(access.tensor) : at);
  if (found == buffers.end())
    fault(FaultKind::out_of_bounds,
          fmt::format("{}: the address is in no registered buffer", describe(access, flat_element)));
  Record& record = found->second;
  const std::ptrdiff_t offset = at - found->first;
  const auto element_bytes = static_cast<std::ptrdiff_t>(record.element_bytes);
  if (offset < 0 || offset + static_cast<std::ptrdiff_t>(bytes) > static_cast<std::ptrdiff_t>(record.bytes))
    fault(FaultKind::out_of_bounds,
          fmt::format("{}: element {} of buffer '{}', which has {}", describe(access, flat_element),
                      (offset - (offset < 0 ? element_bytes - 1 : 0)) / element_bytes, record.name,
                      record.shadows.size()));
  const auto first = static_cast<std::size_t>(offset) / record.element_bytes;
  const std::size_t last = (static_cast<std::size_t>(offset) + bytes - 1) / record.element_bytes;
  for (std::size_t i = first; i <= last; ++i) {
    Shadow& shadow = record.shadows[i];
    if (shadow.launch != launch_number) {
      shadow = {.launch = launch_number, .written = shadow.written};
    }
    if (!writes && !shadow.written)
      fault(FaultKind::unwritten_read,
            fmt::format("{}: element {} of buffer '{}'", describe(access, flat_element), i, record.name));
    check_race(record, shadow, fmt::format("{}: element {}", describe(access, flat_element), i), writes);
    note(shadow, writes);
  }
}

}  // namespace detail
}  // namespace ladder::tile
