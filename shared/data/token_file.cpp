#include "shared/data/token_file.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are read as they lie on the disk");

constexpr std::int32_t kMagic = 20240520, kVersion = 1;
constexpr std::size_t kHeaderBytes = 256 * sizeof(std::int32_t);

/// Whether the file begins with the header's magic number. Read as tokens it would be 55432 and 308, of which the first
/// is none of GPT-2's.
bool begins_with_magic(std::span<const std::byte> bytes) {
  std::int32_t first = 0;
  if (bytes.size() >= sizeof first) std::memcpy(&first, bytes.data(), sizeof first);
  return first == kMagic;
}

/// The tokens behind the header, which must tell the truth about them.
std::span<const std::byte> behind_header(std::span<const std::byte> bytes, const std::string& name) {
  require(bytes.size() >= kHeaderBytes, "{}: {} bytes are too few for the header of {} that it begins with",
          name, bytes.size(), kHeaderBytes);
  std::array<std::int32_t, 3> header{};  // magic number, version, number of tokens
  std::memcpy(header.data(), bytes.data(), sizeof header);
  require(header[1] == kVersion, "{}: its header says version {}: {} is read, whose tokens are uint16", name,
          header[1], kVersion);
  const std::size_t size = bytes.size() - kHeaderBytes;
  require(header[2] >= 0 && size == 2 * static_cast<std::size_t>(header[2]),
          "{}: its header announces {} tokens, two bytes each, behind it are {} bytes: truncated or damaged",
          name, header[2], size);
  require(size > 0, "{}: holds a header and no tokens", name);
  return bytes.subspan(kHeaderBytes);
}

}  // namespace

TokenFile map_token_file(const std::filesystem::path& path) {
  TokenFile file{path.string(), std::make_shared<MappedFile>(path), {}};
  std::span<const std::byte> bytes = file.bytes->bytes();
  file.has_header = begins_with_magic(bytes);
  if (file.has_header) bytes = behind_header(bytes, file.name);
  require(bytes.size() % 2 == 0,
          "{}: {} bytes are no whole number of tokens: it must hold raw uint16, two bytes a token", file.name,
          bytes.size());
  file.tokens = std::span(reinterpret_cast<const std::uint16_t*>(bytes.data()), bytes.size() / 2);
  return file;
}

void TokenWriter::append(std::int32_t token) {
  bytes_.push_back(static_cast<char>(token & 0xff));
  bytes_.push_back(static_cast<char>(token >> 8));
  ++count_;
  if (bytes_.size() >= std::size_t{1} << 16) flush();
}

void TokenWriter::flush() {
  file_.write(bytes_);
  bytes_.clear();
}

}  // namespace ladder
