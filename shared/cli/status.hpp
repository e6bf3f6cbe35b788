// What a long command is doing right now: one line on stderr that is overwritten; nothing when stderr is no terminal.
#pragma once

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace ladder::cli {

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
