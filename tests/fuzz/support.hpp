// What the targets share.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/temporary_folder.hpp"

namespace ladder::fuzz {

/// Not require(): that is how the program refuses an input.
inline void expect(bool ok, const char* what) {
  if (!ok) throw std::logic_error(what);
}

/// The readers take paths: one folder a process, whose files every input writes anew.
inline const std::filesystem::path& folder() {
  static const TemporaryFolder once;
  return once.path();
}

inline void put(const std::filesystem::path& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  ::close(file);
  expect(written, "the input cannot be written to a file");
}

/// Calls body(); that it refuses its input is as good as that it reads it, if it says so in one line.
template <class Body>
void may_refuse(const Body& body) {
  try {
    body();
  } catch (const InputError& error) {
    expect(!std::string_view(error.what()).empty(), "a refusal without a word");
  }
}

}  // namespace ladder::fuzz
