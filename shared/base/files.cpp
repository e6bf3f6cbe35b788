#include "shared/base/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

std::string reason() { return std::strerror(errno); }

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// A rename is only durable once the folder itself has reached the disk.
void flush_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

std::string read_file(const fs::path& path) {
  // NONBLOCK: opening a pipe that nobody writes to must not wait.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  require(descriptor >= 0, "{}: cannot be read ({}): give the path of an existing file", path.string(),
          reason());
  struct stat about = {};
  if (::fstat(descriptor, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
    ::close(descriptor);
    throw InputError(
        fmt::format("{}: is a device or a pipe, which may have no end: name a plain file", path.string()));
  }
  std::string bytes;
  std::string block(std::size_t{1} << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(descriptor, block.data(), block.size());
    if (count < 0) {
      const std::string why = reason();
      ::close(descriptor);
      throw InputError(
          fmt::format("{}: cannot be read ({}): give the path of an existing file", path.string(), why));
    }
    if (count == 0) break;
    bytes.append(block, 0, static_cast<std::size_t>(count));
  }
  ::close(descriptor);
  return bytes;
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), temporary_(path_.string() + ".tmp") {
  std::error_code ignored;
  // A rename would replace a device such as /dev/null by a plain file.
  require(!fs::exists(path_, ignored) || fs::is_regular_file(path_, ignored),
          "{}: is a folder or a device: name a plain file", path_.string());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  require(descriptor_ >= 0,
          "{}: cannot be written ({}): name a file in an existing folder that you may write to",
          path_.string(), reason());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw MachineError(fmt::format("{}: writing failed ({})", path_.string(), reason()));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0)
    throw MachineError(fmt::format("{}: writing failed ({})", path_.string(), reason()));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    throw MachineError(fmt::format("{}: renaming the finished file failed ({})", path_.string(), reason()));
  ::close(std::exchange(descriptor_, -1));
  flush_folder(folder_of(path_));
}

void write_file(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void require_distinct_outputs(const std::vector<fs::path>& inputs, const std::vector<fs::path>& outputs) {
  const auto whole = [](const fs::path& path) {
    std::error_code error;
    fs::path resolved = fs::weakly_canonical(fs::absolute(path), error);
    return error ? path : resolved;
  };
  const auto same = [&](const fs::path& a, const fs::path& b) {
    std::error_code ignored;  // of a path that does not exist: only its name can be compared
    return fs::equivalent(a, b, ignored) || whole(a) == whole(b);
  };
  for (auto output = outputs.begin(); output != outputs.end(); ++output) {
    if (output->empty()) continue;
    for (const fs::path& input : inputs)
      require(input.empty() || !same(input, *output), "{}: is read by this command, which would replace it",
              output->string());
    for (auto other = outputs.begin(); other != output; ++other)
      require(other->empty() || !same(*other, *output), "{}: would be written twice by this command",
              output->string());
  }
}

void require_writable_file(const fs::path& path) {
  if (!path.empty()) AtomicFile probe(path);
}

void require_writable_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  require(!error && fs::is_directory(folder, error), "{}: is not a folder and cannot be made one ({})",
          folder.string(), error ? error.message() : "a file has that name");
  AtomicFile probe(folder / "ladder-write-test");
}

void require_writable_outputs(const fs::path& folder, std::initializer_list<fs::path> files) {
  std::error_code ignored;
  const bool new_folder = !folder.empty() && !fs::exists(folder, ignored);
  if (!folder.empty()) require_writable_folder(folder);
  try {
    for (const fs::path& file : files) require_writable_file(file);
  } catch (const InputError&) {
    if (new_folder) fs::remove(folder, ignored);
    throw;
  }
}

}  // namespace ladder
