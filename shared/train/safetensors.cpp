#include "shared/train/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/process_limits.hpp"
#include "shared/base/shown.hpp"
#include "shared/device/cpu_runtime.hpp"

namespace ladder {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian, as is this program's memory");

constexpr std::uint64_t kPrefixBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own limit

/// A tensor's entry in the header, checked.
struct Entry {
  std::string name, stored;
  std::vector<int> shape;
  std::uint64_t begin, end;
};

/// The format's words for types: those that this program reads, and the size of all.
struct StoredType {
  std::string_view name;
  std::uint64_t bytes;
  std::optional<Dtype> dtype = {};
};
constexpr StoredType kStoredTypes[] = {{"F64", 8, Dtype::fp64},
                                       {"F32", 4, Dtype::fp32},
                                       {"F16", 2, Dtype::fp16},
                                       {"BF16", 2, Dtype::bf16},
                                       {"I64", 8},
                                       {"U64", 8},
                                       {"I32", 4},
                                       {"U32", 4},
                                       {"I16", 2},
                                       {"U16", 2},
                                       {"I8", 1},
                                       {"U8", 1},
                                       {"BOOL", 1}};

const StoredType* find_type(std::string_view name) {
  const auto found = std::ranges::find(kStoredTypes, name, &StoredType::name);
  return found == std::end(kStoredTypes) ? nullptr : found;
}

/// Names of tensors, their descriptions, and lists in these.
constexpr int kHeaderLevels = 3;

/// What errors call a tensor.
std::string place_of(const std::string& file, std::string_view tensor) {
  return fmt::format("{}: tensor '{}'", file, shown(tensor));
}

/// The product of the shape, or an error where it does not fit.
std::uint64_t element_count(const std::vector<int>& shape, const std::string& place) {
  std::uint64_t count = 1;
  for (int extent : shape) {
    require(
        extent == 0 || count <= std::numeric_limits<std::int32_t>::max() / static_cast<std::uint64_t>(extent),
        "{} has a shape of more than 2^31 elements", place);
    count *= static_cast<std::uint64_t>(extent);
  }
  return count;
}

std::vector<int> stored_shape(const Json& entry, const std::string& place) {
  std::vector<int> shape = member_of<std::vector<int>>(entry, "shape", place);
  for (const int extent : shape)
    require(extent >= 0, "{} has the extent {}: valid are whole numbers from 0 to 2^31-1", place, extent);
  return shape;
}

Entry checked_entry(const std::string& name, const Json& entry, std::uint64_t data_bytes,
                    const std::string& file) {
  const std::string place = place_of(file, name);
  require(entry.is_object(), "{} has no description", place);
  Entry result{name, member_of<std::string>(entry, "dtype", place), stored_shape(entry, place), 0, 0};
  const std::uint64_t count = element_count(result.shape, place);
  const auto offsets = member_of<std::vector<std::uint64_t>>(entry, "data_offsets", place);
  require(offsets.size() == 2, "{}: 'data_offsets' has {} items: two are expected", place, offsets.size());
  result.begin = offsets[0];
  result.end = offsets[1];
  require(result.begin <= result.end && result.end <= data_bytes,
          "{} lies at bytes {} to {}, outside the {} bytes of data: the file is truncated or damaged", place,
          result.begin, result.end, data_bytes);
  const StoredType* type = find_type(result.stored);
  require(type == nullptr || result.end - result.begin == count * type->bytes,
          "{} has {} bytes, but its shape and dtype need {}", place, result.end - result.begin,
          count * (type == nullptr ? 0 : type->bytes));
  return result;
}

/// The entries in the order of their bytes, which must cover the data without gap or overlap.
std::vector<Entry> checked_entries(const Json& header, std::uint64_t data_bytes, const std::string& file) {
  std::vector<Entry> entries;
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__") entries.push_back(checked_entry(name, entry, data_bytes, file));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t position = 0;
  for (const Entry& entry : entries) {
    require(entry.begin == position, "{}: tensor '{}' {} the tensor before it", file, shown(entry.name),
            entry.begin < position ? "overlaps" : "leaves a gap after");
    position = entry.end;
  }
  require(position == data_bytes, "{}: {} bytes follow the last tensor", file, data_bytes - position);
  return entries;
}

Metadata checked_metadata(const Json& header, const std::string& file) {
  Metadata metadata;
  if (!header.contains("__metadata__")) return metadata;
  require(header["__metadata__"].is_object(), "{}: __metadata__ is not a JSON object", file);
  for (const auto& [key, value] : header["__metadata__"].items()) {
    require(value.is_string(), "{}: __metadata__ '{}' is not a string", file, shown(key));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// Before it is mapped: an empty file has no bytes that could be.
const std::filesystem::path& require_not_empty(const std::filesystem::path& path) {
  std::error_code missing;
  const bool empty = std::filesystem::is_regular_file(path, missing) &&
                     std::filesystem::file_size(path, missing) == 0 && !missing;
  require(!empty, "{}: not a safetensors file: 0 bytes are too few", path.string());
  return path;
}

std::string header_text(std::span<const StoredTensor> tensors, const Metadata& metadata) {
  Json own = Json::object();
  for (const auto& [key, value] : metadata) own[key] = value;
  Json::Members header;  // not through operator[], which looks every name up among all before it
  header.push_back({"__metadata__", std::move(own)});
  std::uint64_t begin = 0;
  for (const StoredTensor& stored : tensors) {
    require(stored.dtype == Dtype::fp64 || stored.dtype == Dtype::fp32,
            "tensors are written as fp64 or fp32, not {}", name_of(stored.dtype));
    const std::uint64_t end = begin + stored.tensor->size() * size_of(stored.dtype);
    header.push_back({stored.name,
                      {{"dtype", stored.dtype == Dtype::fp64 ? "F64" : "F32"},
                       {"shape", stored.tensor->shape},
                       {"data_offsets", {begin, end}}}});
    begin = end;
  }
  std::string text = Json::object(std::move(header)).dump();
  text.resize((text.size() + kPrefixBytes - 1) / kPrefixBytes * kPrefixBytes, ' ');  // the data start aligned
  return text;
}

void write_values(AtomicFile& file, const StoredTensor& stored) {
  const auto write = [&](std::span<const std::byte> bytes) {
    file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  if (stored.tensor->dtype() == stored.dtype)
    write(stored.tensor->bytes());
  else
    write(stored.tensor->in(stored.dtype).bytes());
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : name_(path.string()), file_(require_not_empty(path)) {
  const std::span<const std::byte> bytes = file_.bytes();
  require(bytes.size() >= kPrefixBytes, "{}: not a safetensors file: {} bytes are too few", name_,
          bytes.size());
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kPrefixBytes);
  require(
      header_bytes <= kLongestHeader && header_bytes <= bytes.size() - kPrefixBytes,
      "{}: not a safetensors file, or truncated: it announces a header of {} bytes and has {} bytes in all",
      name_, header_bytes, bytes.size());
  const auto text = bytes.subspan(kPrefixBytes, header_bytes);
  const Json header = json_object({reinterpret_cast<const char*>(text.data()), text.size()},
                                  name_ + ": not a safetensors file: its header", kHeaderLevels);
  const auto data = bytes.subspan(kPrefixBytes + header_bytes);
  metadata_ = checked_metadata(header, name_);
  for (Entry& entry : checked_entries(header, data.size(), name_))
    tensors_.push_back({std::move(entry.name), std::move(entry.stored), std::move(entry.shape),
                        data.subspan(entry.begin, entry.end - entry.begin)});
}

const TensorView* SafetensorsFile::find(std::string_view tensor) const {
  const auto found = std::ranges::find(tensors_, tensor, &TensorView::name);
  return found == tensors_.end() ? nullptr : &*found;
}

Dtype SafetensorsFile::dtype_of(const TensorView& tensor) const {
  const StoredType* type = find_type(tensor.stored);
  require(type != nullptr && type->dtype.has_value(), "{} has dtype {}: valid are F64, F32, F16, BF16",
          place_of(name_, tensor.name), shown(tensor.stored));
  return *type->dtype;
}

Dtype SafetensorsFile::finite_dtype_of(const TensorView& tensor) const {
  const Dtype dtype = dtype_of(tensor);
  if (const auto bad = first_not_finite(dtype, tensor.bytes))
    throw InputError(fmt::format("{} is {} at element {} of [{}]: only finite numbers can be computed with",
                                 place_of(name_, tensor.name),
                                 printable(decode(dtype, tensor.bytes.data(), *bad)), *bad,
                                 extents_of(tensor.shape)));
  return dtype;
}

NamedTensor SafetensorsFile::copy(const TensorView& tensor) const {
  NamedTensor copied(tensor.name, tensor.shape, finite_dtype_of(tensor));
  std::ranges::copy(tensor.bytes, copied.bytes().begin());
  return copied;
}

void require_memory(std::size_t bytes, const std::string& file) {
  const std::size_t available = within_memory_limits(on_cpu::available_bytes());
  if (available == 0 || bytes <= available) return;
  throw MachineError(fmt::format("{}: out of memory: its tensors have {:.1f} MiB, {:.1f} MiB are available",
                                 file, static_cast<double>(bytes) / 0x1p20,
                                 static_cast<double>(available) / 0x1p20));
}

Safetensors read_safetensors(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  Safetensors result{{}, file.metadata()};
  for (const TensorView& tensor : file.tensors()) result.tensors.push_back(file.copy(tensor));
  return result;
}

void write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                       const Metadata& metadata) {
  const std::string header = header_text(tensors, metadata);
  std::string prefix(kPrefixBytes, '\0');
  const std::uint64_t header_bytes = header.size();
  std::memcpy(prefix.data(), &header_bytes, kPrefixBytes);
  AtomicFile file(path);
  file.write(prefix);
  file.write(header);
  for (const StoredTensor& stored : tensors) write_values(file, stored);
  file.commit();
}

}  // namespace ladder
