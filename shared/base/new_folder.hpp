// Folders that a call makes on its way to an output.
#pragma once

#include <deque>
#include <filesystem>
#include <system_error>

#include "shared/base/interrupt.hpp"

namespace ladder {

/// Of `folder` and those that it lies in, the ones that are not there yet: whichever of them are empty when this ends, or
/// when a signal ends the program, go again.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (std::filesystem::path one = folder; !one.empty() && !std::filesystem::exists(one, ignored);
         one = one.parent_path()) {
      made_.push_back(one);
      gone_.emplace_back(one, GoneOnSignal::Kind::empty_folder);
      if (one == one.parent_path()) break;
    }
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code not_empty;
    for (const std::filesystem::path& one : made_) std::filesystem::remove(one, not_empty);
  }

 private:
  std::deque<std::filesystem::path> made_;  ///< the innermost first
  std::deque<GoneOnSignal> gone_;
};

}  // namespace ladder
