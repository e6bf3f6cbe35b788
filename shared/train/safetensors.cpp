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

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
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

/// Parses the header; a name that occurs twice in one object is an error, which plain parsing would swallow.
Json parse_header(std::string_view text, const std::string& file) {
  std::vector<std::string> repeated;
  Json header = Json::try_parse(text, &repeated);
  require(header.is_object(), "{}: not a safetensors file: its header is not a JSON object", file);
  if (!repeated.empty())
    throw InputError(fmt::format("{}: tensor '{}' occurs twice in the header", file, repeated.back()));
  return header;
}

std::string stored_type(const Json& entry, const std::string& file, const std::string& name) {
  const Json* stored = entry.find("dtype");
  require(stored != nullptr && stored->is_string(), "{}: tensor '{}' has no dtype", file, name);
  return stored->get<std::string>();
}

/// The product of the shape, or an error where it does not fit.
std::uint64_t element_count(const std::vector<int>& shape, const std::string& file, const std::string& name) {
  std::uint64_t count = 1;
  for (int extent : shape) {
    require(
        extent == 0 || count <= std::numeric_limits<std::int32_t>::max() / static_cast<std::uint64_t>(extent),
        "{}: tensor '{}' has a shape of more than 2^31 elements", file, name);
    count *= static_cast<std::uint64_t>(extent);
  }
  return count;
}

std::vector<int> stored_shape(const Json& entry, const std::string& file, const std::string& name) {
  const bool is_list = entry.contains("shape") && entry["shape"].is_array();
  require(is_list, "{}: tensor '{}' has no shape", file, name);
  std::vector<int> shape;
  for (const Json& extent : entry["shape"]) {
    const bool valid = extent.is_whole() && extent.get<std::uint64_t>() <= 0x7fffffff;
    require(valid, "{}: tensor '{}' has the extent {}: valid are whole numbers from 0 to 2^31-1", file, name,
            extent.dump());
    shape.push_back(extent.get<int>());
  }
  return shape;
}

Entry checked_entry(const std::string& name, const Json& entry, std::uint64_t data_bytes,
                    const std::string& file) {
  require(entry.is_object(), "{}: tensor '{}' has no description", file, name);
  Entry result{name, stored_type(entry, file, name), stored_shape(entry, file, name), 0, 0};
  const std::uint64_t count = element_count(result.shape, file, name);
  const Json offsets = entry.value("data_offsets", Json());
  const bool is_pair =
      offsets.is_array() && offsets.size() == 2 && offsets[0].is_whole() && offsets[1].is_whole();
  require(is_pair, "{}: tensor '{}' has no pair of data_offsets", file, name);
  result.begin = offsets[0].get<std::uint64_t>();
  result.end = offsets[1].get<std::uint64_t>();
  require(result.begin <= result.end && result.end <= data_bytes,
          "{}: tensor '{}' lies at bytes {} to {}, outside the {} bytes of data: the file is truncated or "
          "damaged",
          file, name, result.begin, result.end, data_bytes);
  const StoredType* type = find_type(result.stored);
  require(type == nullptr || result.end - result.begin == count * type->bytes,
          "{}: tensor '{}' has {} bytes, but its shape and dtype need {}", file, name,
          result.end - result.begin, count * (type == nullptr ? 0 : type->bytes));
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
    require(entry.begin == position, "{}: tensor '{}' {} the tensor before it", file, entry.name,
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
    require(value.is_string(), "{}: __metadata__ '{}' is not a string", file, key);
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
  Json header;
  Json& own = header["__metadata__"] = Json::object();
  for (const auto& [key, value] : metadata) own[key] = value;
  std::uint64_t begin = 0;
  for (const StoredTensor& stored : tensors) {
    require(stored.dtype == Dtype::fp64 || stored.dtype == Dtype::fp32,
            "tensors are written as fp64 or fp32, not {}", name_of(stored.dtype));
    const std::uint64_t end = begin + stored.tensor->size() * size_of(stored.dtype);
    header[stored.name] = {{"dtype", stored.dtype == Dtype::fp64 ? "F64" : "F32"},
                           {"shape", stored.tensor->shape},
                           {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
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
  const Json header = parse_header({reinterpret_cast<const char*>(text.data()), text.size()}, name_);
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
  require(type != nullptr && type->dtype.has_value(),
          "{}: tensor '{}' has dtype {}: valid are F64, F32, F16, BF16", name_, tensor.name, tensor.stored);
  return *type->dtype;
}

NamedTensor SafetensorsFile::copy(const TensorView& tensor) const {
  NamedTensor copied(tensor.name, tensor.shape, dtype_of(tensor));
  std::ranges::copy(tensor.bytes, copied.bytes().begin());
  return copied;
}

void require_memory(std::size_t bytes, const std::string& file) {
  const std::size_t available = on_cpu::available_bytes();
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
