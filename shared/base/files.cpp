#include "shared/base/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/failed_call.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/write_to_reader.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

std::string reason() { return std::strerror(errno); }

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Whether what was written has reached the disk, or lies on something that knows no such thing.
bool flush(int descriptor) { return ::fsync(descriptor) == 0 || !is_of_the_machine(errno); }

/// A rename is only durable once the folder itself has reached the disk. False where the disk says that it has not; a
/// folder that may not be read cannot be asked.
bool flush_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return !is_of_the_machine(errno);
  const bool flushed = flush(descriptor);
  const int problem = errno;
  ::close(descriptor);
  errno = problem;
  return flushed;
}

/// How the names of AtomicFile's own files begin.
constexpr const char* kTemporary = ".ladder-";

/// A file with a name that open_temporary() gives, and nothing of a user's that only begins like one.
bool is_temporary(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string(), prefix = kTemporary;
  std::error_code ignored;
  return entry.symlink_status(ignored).type() == fs::file_type::regular && name.size() == prefix.size() + 8 &&
         name.starts_with(prefix) &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string::npos;
}

/// ": process 123", who holds the lock on an open file by /proc/locks; empty where that does not say.
std::string holder_of(int descriptor) {
  struct stat about = {};
  if (::fstat(descriptor, &about) != 0) return {};
  std::ifstream locks("/proc/locks");
  std::string line;
  while (std::getline(locks, line)) {  // "1: FLOCK  ADVISORY  WRITE 123 08:01:456 0 EOF"
    std::istringstream words(line);
    std::string number, kind, advisory, access, process, place;
    words >> number >> kind >> advisory >> access >> process >> place;
    if (kind == "FLOCK" && place.ends_with(fmt::format(":{}", about.st_ino))) return ": process " + process;
  }
  return {};
}

/// `path`, what it links to, what that links to, and so on: the last is no link, whether it is there or not.
std::vector<fs::path> hops_of(const fs::path& path) {
  constexpr std::size_t kMostLinks = 40;
  std::vector<fs::path> hops = {path};
  while (hops.size() <= kMostLinks) {
    std::error_code no_link;
    const fs::path next = fs::read_symlink(hops.back(), no_link);
    if (no_link) return hops;
    hops.push_back(next.is_absolute() ? next : folder_of(hops.back()) / next);
  }
  throw InputError(fmt::format("{}: is a symbolic link that leads to no end", path.string()));
}

/// Where bytes for `path` belong.
fs::path target_of(const fs::path& path) { return hops_of(path).back(); }

/// A name that stands for an open file: /dev/stdout, /dev/fd/1, /proc/self/fd/1.
bool is_descriptor(const fs::path& path) {
  const fs::path name = fs::absolute(path).lexically_normal();
  const std::string text = name.string();
  return text == "/dev/stdin" || text == "/dev/stdout" || text == "/dev/stderr" ||
         text.starts_with("/dev/fd/") ||
         (text.starts_with("/proc/") && name.parent_path().filename() == "fd");
}

/// What is written to and never replaced: devices, pipes, and names that stand for an open file, also behind links.
bool is_stream(const fs::path& path) {
  const std::vector<fs::path> hops = hops_of(path);
  std::error_code ignored;
  return std::any_of(hops.begin(), hops.end(), is_descriptor) ||
         (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored) &&
          !fs::is_directory(path, ignored));
}

/// A file that is a mount of its own, as containers have them: its name belongs to no folder that a new file could be
/// put into. False where the system does not say.
bool is_mounted(const fs::path& file) {
#if defined(STATX_ATTR_MOUNT_ROOT)
  struct statx about = {};
  return ::statx(AT_FDCWD, file.c_str(), 0, 0, &about) == 0 && S_ISREG(about.stx_mode) &&
         (about.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
         (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
  static_cast<void>(file);
  return false;
#endif
}

/// A pipe that somebody reads stays open until the program ends: opened and closed, it would be at its end.
void require_stream(const fs::path& path) {
  require(::access(path.c_str(), W_OK) == 0, "{}: cannot be written ({})", path.string(), reason());
  std::error_code ignored;
  require(!fs::is_socket(path, ignored), "{}: is a socket: name a file", path.string());
  if (!fs::is_fifo(path, ignored)) return;
  const int pipe = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  require(pipe >= 0 || errno != ENXIO, "{}: is a pipe that nobody reads: start its reader first",
          path.string());
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t most) {
  // NONBLOCK: opening a pipe that nobody writes to must not wait.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  require_call(descriptor >= 0, errno, "{}: cannot be read ({}): give the path of an existing file",
               path.string(), reason());
  struct stat about = {};
  if (::fstat(descriptor, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
    ::close(descriptor);
    throw InputError(
        fmt::format("{}: is a device or a pipe, which may have no end: name a plain file", path.string()));
  }
  std::string bytes;
  std::string block(std::size_t{1} << 16, '\0');
  const auto require_short = [&](std::size_t size) {
    if (size <= most) return;
    ::close(descriptor);
    throw InputError(
        fmt::format("{}: has {} bytes: of such a file at most {} are read", path.string(), size, most));
  };
  require_short(S_ISREG(about.st_mode) ? static_cast<std::size_t>(about.st_size) : 0);
  for (;;) {
    const ssize_t count = ::read(descriptor, block.data(), block.size());
    if (count < 0) {
      const int problem = errno;
      ::close(descriptor);
      require_call(false, problem, "{}: cannot be read ({}): give the path of an existing file",
                   path.string(), std::strerror(problem));
    }
    if (count == 0) break;
    bytes.append(block, 0, static_cast<std::size_t>(count));
    require_short(bytes.size());
  }
  ::close(descriptor);
  return bytes;
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), target_(target_of(path_)) {
  std::error_code ignored;
  require(!fs::is_directory(target_, ignored), "{}: is a folder: name a file", path_.string());
  // The temporary's name is short: without this a name that no file can have would be told when the work is done.
  struct stat about = {};
  require(::lstat(target_.c_str(), &about) == 0 || errno != ENAMETOOLONG,
          "{}: the name is longer than a file's may be: name a file of at most 255 bytes",
          shown(path_.string()));
  require(!is_mounted(target_),
          "{}: is mounted there as a single file, which cannot be replaced: mount its folder",
          path_.string());
  if (is_stream(path_))
    open_stream();
  else
    open_temporary();
}

void AtomicFile::open_stream() {
  std::fflush(stdout);  // of which this may be another name: what was printed before stands before it
  // NONBLOCK: opening a pipe that nobody reads must not wait.
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  require_call(descriptor_ >= 0, errno, "{}: cannot be written ({})", path_.string(), reason());
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) & ~O_NONBLOCK);
}

void AtomicFile::open_temporary() {
  constexpr int kTries = 100;
  std::random_device random;
  for (int i = 0; i < kTries; ++i) {
    temporary_ = folder_of(target_) / fmt::format("{}{:08x}", kTemporary, random());
    gone_.emplace(temporary_, GoneOnSignal::Kind::file);  // before it is there: no signal comes in between
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) break;
    const int problem = errno;
    gone_.reset();
    errno = problem;
    if (problem != EEXIST) break;
  }
  const int problem = descriptor_ < 0 ? errno : 0;
  require_call(problem == 0, problem, "{}: cannot be written ({}){}", path_.string(), std::strerror(problem),
               is_of_the_machine(problem) ? "" : ": name a file in an existing folder that you may write to");
  struct stat about = {};
  if (::stat(target_.c_str(), &about) == 0) ::fchmod(descriptor_, about.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  if (temporary_.empty()) {
    const int problem = write_to_reader(descriptor_, bytes);
    if (problem == EINTR) throw Interrupted();
    if (problem != 0)
      throw MachineError(fmt::format("{}: writing failed ({})", path_.string(), std::strerror(problem)));
    return;
  }
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw MachineError(fmt::format("{}: writing failed ({})", path_.string(), reason()));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  if (temporary_.empty()) {
    ::close(std::exchange(descriptor_, -1));
    return;
  }
  if (!flush(descriptor_))
    throw MachineError(fmt::format("{}: writing failed ({})", path_.string(), reason()));
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    throw MachineError(fmt::format("{}: renaming the finished file failed ({})", path_.string(), reason()));
  gone_.reset();
  ::close(std::exchange(descriptor_, -1));
  if (!flush_folder(folder_of(target_)))
    throw MachineError(fmt::format("{}: is written, but its folder may not keep it through a power cut ({})",
                                   path_.string(), reason()));
}

FolderLock::FolderLock(const fs::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  require_call(descriptor_ >= 0, errno, "{}: cannot be opened ({})", folder.string(), reason());
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      const int problem = errno;
      ::close(descriptor_);
      throw MachineError(
          fmt::format("{}: cannot be locked against a second run ({}): name a folder on another disk",
                      folder.string(), std::strerror(problem)));
    }
    const std::string holder = holder_of(descriptor_);
    ::close(descriptor_);
    throw InputError(fmt::format("{}: another run works in this folder{}", folder.string(), holder));
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (is_temporary(entry)) fs::remove(entry.path(), ignored);
}

FolderLock::~FolderLock() { ::close(descriptor_); }

void write_file(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void require_distinct_outputs(const std::vector<fs::path>& inputs, const std::vector<fs::path>& outputs) {
  const auto whole = [](const fs::path& path) {
    std::error_code error;
    fs::path resolved = fs::weakly_canonical(fs::absolute(target_of(path)), error);
    return error ? path : resolved;
  };
  const auto same = [&](const fs::path& a, const fs::path& b) {
    std::error_code ignored;  // of a path that does not exist: only its name can be compared
    return fs::equivalent(a, b, ignored) || whole(a) == whole(b);
  };
  for (auto output = outputs.begin(); output != outputs.end(); ++output) {
    if (output->empty() || is_stream(*output)) continue;  // a device takes what several write
    for (const fs::path& input : inputs)
      require(input.empty() || !same(input, *output), "{}: is read by this command, which would replace it",
              output->string());
    for (auto other = outputs.begin(); other != output; ++other)
      require(other->empty() || !same(*other, *output), "{}: would be written twice by this command",
              output->string());
  }
}

void require_writable_file(const fs::path& path) {
  if (path.empty()) return;
  if (is_stream(path))
    require_stream(path);
  else
    AtomicFile probe(path);
}

void require_growing_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return require_writable_file(path);
  require_call(::access(path.c_str(), W_OK) == 0, errno, "{}: cannot be written ({})", path.string(),
               reason());
}

void require_writable_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const std::error_code problem = error;
  const bool is_folder = !problem && fs::is_directory(folder, error);
  require_call(is_folder, problem.value(), "{}: is not a folder and cannot be made one ({})", folder.string(),
               problem ? problem.message() : "a file has that name");
  AtomicFile probe(folder / "ladder-write-test");
}

}  // namespace ladder
