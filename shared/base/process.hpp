// Running other programs.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/interrupt.hpp"

namespace ladder {

/// The standard output of a program, stripped at the end; empty when it is not there or fails. For asking git and python3.
std::string output_of(std::vector<std::string> program);

/// The standard output of a program that is given `input`; empty when it is not there, fails, or has not answered within
/// `seconds`: then it is ended.
std::string answer_of(const std::vector<std::string>& program, std::string_view input, double seconds);

/// Another program in this process group that answers line by line: on its input, by its output.
class Companion {
 public:
  /// `program` is looked for in PATH; `variables` ("NAME=VALUE") go before this program's environment; what it says on
  /// stderr goes to `log`. Throws MachineError where it does not start.
  Companion(const std::vector<std::string>& program, const std::filesystem::path& log,
            const std::vector<std::string>& variables = {});
  Companion(const Companion&) = delete;
  Companion& operator=(const Companion&) = delete;
  ~Companion();  ///< ends it

  /// The next line that it prints, without its end. Throws MachineError when it ends instead, with the signal that
  /// ended it, or else the last thing that it said on stderr.
  std::string read();
  /// Throws MachineError as read() does.
  std::string ask(const std::string& line);

 private:
  [[noreturn]] void fail();

  std::string name_;
  std::filesystem::path log_;
  pid_t process_ = -1;
  std::optional<GoneOnSignal> gone_;
  int socket_ = -1;
  std::string unread_;
};

}  // namespace ladder
