// A folder of this process alone in the system's place for temporary files, removed with all it holds.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <string>

#include "shared/base/error.hpp"
#include "shared/base/interrupt.hpp"

namespace ladder {

class TemporaryFolder {
 public:
  /// Throws MachineError when none can be made.
  TemporaryFolder() {
    constexpr int kTries = 100;
    const std::filesystem::path parent = place();
    std::error_code error;
    if (!std::filesystem::is_directory(parent, error))
      fail(parent.string() + ": " + (error ? error.message() : std::strerror(ENOTDIR)));
    std::random_device random;
    for (int i = 0; i < kTries; ++i) {
      path_ = parent / fmt::format("ladder-{:08x}{:08x}", random(), random());
      gone_.emplace(path_, GoneOnSignal::Kind::folder_with_all);  // before it is there
      if (::mkdir(path_.c_str(), 0700) == 0) return;
      const int problem = errno;
      gone_.reset();
      if (problem != EEXIST) fail(parent.string() + ": " + std::strerror(problem));
    }
    fail(parent.string() + ": no free name");
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code problem;
    std::filesystem::remove_all(path_, problem);
    if (problem)
      std::filesystem::remove_all(path_, problem);  // it opens folders, which may fail for a moment
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  /// As std::filesystem::temp_directory_path(), but an empty variable is one that is not set.
  static std::filesystem::path place() {
    for (const char* name : {"TMPDIR", "TMP", "TEMP", "TEMPDIR"})
      if (const char* told = std::getenv(name); told != nullptr && *told != '\0') return told;
    return "/tmp";
  }

  [[noreturn]] static void fail(const std::string& why) {
    throw MachineError(fmt::format(
        "no folder for temporary files can be made ({}): set TMPDIR to one that can be written to", why));
  }

  std::filesystem::path path_;
  std::optional<GoneOnSignal> gone_;
};

/// To be called before long work that is going to need one. Throws MachineError when none can be made.
inline void require_temporary_folder() { const TemporaryFolder probe; }

}  // namespace ladder
