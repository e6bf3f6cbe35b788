// A folder of this process alone in the system's place for temporary files, removed with all it holds.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "shared/base/error.hpp"

namespace ladder {

class TemporaryFolder {
 public:
  /// Throws MachineError when none can be made.
  TemporaryFolder() {
    const std::filesystem::path parent = std::filesystem::temp_directory_path();
    std::string name = (parent / "ladder-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw MachineError(fmt::format("{}: no folder can be made there", parent.string()));
    path_ = name;
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
  std::filesystem::path path_;
};

}  // namespace ladder
