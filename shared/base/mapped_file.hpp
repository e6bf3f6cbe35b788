// A file as memory: its bytes are read from the disk when they are looked at, and never all at once.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace ladder {

/// The bytes of a file, mapped for reading. Whoever looks at them must not outlive this object, and the file must not
/// be shortened meanwhile: a byte that is gone ends the process (SIGBUS), as with every mapped file.
class MappedFile {
 public:
  /// Throws InputError naming the path when it is missing, empty, unreadable or no plain file.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// Begins at a multiple of the page size, so that a cast to a wider type is aligned.
  std::span<const std::byte> bytes() const { return bytes_; }
  /// To be called where small pieces from all over a large file will be looked at: the system then reads these alone,
  /// and not what lies around each of them.
  void expect_small_pieces() const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace ladder
