// Reading whole files, and writing them so that no half-written file is ever seen.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace ladder {

/// The bytes of a file. Throws InputError naming the path when it is no plain file, such as a folder or a pipe, is missing
/// or cannot be read.
std::string read_file(const std::filesystem::path& path);

/// A file that appears under its name only once it is complete: bytes go to PATH.tmp in the same folder, commit()
/// flushes them to the disk and renames. Without commit() the temporary file is removed.
class AtomicFile {
 public:
  /// Throws InputError naming the path when its folder is missing or cannot be written to.
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::string_view bytes);
  /// Throws MachineError when the disk is full or the rename fails; the earlier file, if any, is then untouched.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// One call for the common case: `bytes` under `path`, completely or not at all.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Throws InputError when one of `outputs` is the same file as one of `inputs`, by name or through a link, or as
/// another output: a command never replaces what it reads. Empty paths mean that none was asked for.
void require_distinct_outputs(const std::vector<std::filesystem::path>& inputs,
                              const std::vector<std::filesystem::path>& outputs);

/// To be called before long work whose result goes to `path`: throws InputError when a file cannot be created there.
/// Leaves nothing behind. An empty path means that no file was asked for.
void require_writable_file(const std::filesystem::path& path);

/// Makes `folder` (and its parents) if needed and proves that a file can be created in it; InputError otherwise.
void require_writable_folder(const std::filesystem::path& folder);

/// Both, for a folder and for files that may lie in it; an empty path means that none was asked for. Where a file
/// cannot be written, the folder goes again if it was not there before. To be called before long work, so that none of
/// it is lost for want of a place to put it.
void require_writable_outputs(const std::filesystem::path& folder,
                              std::initializer_list<std::filesystem::path> files);

}  // namespace ladder
