#include "shared/base/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shared/base/error.hpp"
#include "shared/base/failed_call.hpp"

namespace ladder {
namespace {

/// Closes the file again: the mapping does not need it.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  // NONBLOCK: opening a pipe that nobody writes to must not wait.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat about = {};
  const bool opened = file.number >= 0 && ::fstat(file.number, &about) == 0;
  require_call(opened, errno, "{}: cannot be read ({}): give the path of an existing file", path.string(),
               std::strerror(errno));
  require(S_ISREG(about.st_mode), "{}: is a folder or a device: name a plain file", path.string());
  require(about.st_size > 0, "{}: the file is empty", path.string());
  const auto size = static_cast<std::size_t>(about.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (memory == MAP_FAILED)
    throw MachineError(
        fmt::format("{}: its {} bytes cannot be mapped ({})", path.string(), size, std::strerror(errno)));
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

void MappedFile::expect_small_pieces() const {
  ::posix_madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), POSIX_MADV_RANDOM);
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

}  // namespace ladder
