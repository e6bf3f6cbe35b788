// What a terminal is shown: texts out of data, and what a long command is doing right now, one line on stderr that is
// overwritten; nothing when stderr is no terminal.
#pragma once

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "shared/base/shown.hpp"

namespace ladder::cli {

/// A text that came from data, as it goes to stdout: as it is, but a terminal gets no character that it would obey.
inline std::string for_stdout(std::string_view text) {
  return isatty(1) == 1 ? shown_text(text) : std::string(text);
}

class Status {
 public:
  Status() = default;
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status() { show(""); }

  void show(const std::string& text) {
    if (!terminal_ || text == shown_) return;
    fmt::print(stderr, "\r{:.100}\033[K", text);
    std::fflush(stderr);
    shown_ = text;
  }

 private:
  bool terminal_ = isatty(2) == 1;
  std::string shown_;
};

}  // namespace ladder::cli
