// Reading whole files, and writing them so that no half-written file is ever seen.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/interrupt.hpp"

namespace ladder {

// Where a place is refused, an InputError names it; where the machine has no room or descriptor left or its disk is
// broken, a MachineError does (failed_call.hpp), whatever a function says below.

// How many bytes a file may have that is read as a whole: far above what is meant, far below what hurts.
inline constexpr std::size_t kLongestFile = std::size_t{1} << 26;  ///< of sources, JSON, vocabularies
inline constexpr std::size_t kLongestText = std::size_t{1} << 32;  ///< of what is trained on

/// The bytes of a file. Throws InputError naming the path when it is no plain file, such as a folder or a pipe, is
/// missing or cannot be read, or has more than `most` bytes, whether it says so or grows while it is read.
std::string read_file(const std::filesystem::path& path, std::size_t most = kLongestFile);

/// A file that appears under its name only once it is complete: bytes go to a new file of a random name in the same
/// folder, commit() flushes it to the disk and renames. Without commit() that file, and no other, is removed, also where
/// a signal ends the program. A symbolic link stays one: what it points at is replaced. A file that is there keeps its
/// mode. Devices, pipes and names of open files, such as /dev/stdout, also behind links, are written to as they are, at once
/// and at their end.
class AtomicFile {
 public:
  /// Throws InputError naming the path when its folder is missing or cannot be written to, or a pipe has no reader.
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::string_view bytes);
  /// Throws MachineError when the disk is full or the rename fails: the earlier file, if any, is then untouched. It also
  /// does when the new file is in its place, but the disk does not promise to keep it there.
  void commit();

 private:
  void open_stream();
  void open_temporary();

  std::filesystem::path path_;       ///< as it was named
  std::filesystem::path target_;     ///< what a link points at
  std::filesystem::path temporary_;  ///< empty for what is written to as it is
  std::optional<GoneOnSignal> gone_;
  int descriptor_ = -1;
};

/// A folder that one process at a time works in, for as long as this lives (flock, which a killed process loses).
class FolderLock {
 public:
  /// Removes what killed processes have left of their AtomicFiles there. Throws InputError naming the process that holds
  /// the folder, where one does.
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_ = -1;
};

/// One call for the common case: `bytes` under `path`, completely or not at all.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Throws InputError when one of `outputs` is the same file as one of `inputs`, by name or through a link, or as
/// another output: a command never replaces what it reads. Devices and pipes, which are not replaced, may be named twice.
/// Empty paths mean that none was asked for.
void require_distinct_outputs(const std::vector<std::filesystem::path>& inputs,
                              const std::vector<std::filesystem::path>& outputs);

/// To be called before long work whose result goes to `path`: throws InputError when a file cannot be created there.
/// Leaves nothing behind. An empty path means that no file was asked for.
void require_writable_file(const std::filesystem::path& path);

/// The same for a file that is written piece by piece while the work goes on: one that is there is not replaced.
void require_growing_file(const std::filesystem::path& path);

/// Makes `folder` (and its parents) if needed and proves that a file can be created in it; InputError otherwise. Folders
/// that this makes go again with the caller's NewFolder.
void require_writable_folder(const std::filesystem::path& folder);

}  // namespace ladder
