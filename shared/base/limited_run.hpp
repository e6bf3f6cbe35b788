// Running a program that may fail, hang, or print without end.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ladder {

/// How a program's run ended.
struct LimitedRun {
  bool started = false;
  bool timed_out = false;  ///< it was ended, with all that it had started, when its time was over
  bool too_long = false;   ///< it was ended because it printed more than it may
  int code = -1;           ///< its exit code; -1 where a signal ended it or it did not start
  int signal = 0;          ///< that signal, or 0
  double seconds = 0;      ///< from its start to its end, by this program's clock
  std::string out;         ///< all of its standard output
  std::string last_words;  ///< the last line that it said on stderr, or why it did not start
};

/// Runs `words` (looked for in PATH) without a shell and without input, for at most `seconds`, in a process group of its
/// own, which has ended when this returns: so has everything that it started. It may print `most` bytes. Throws Interrupted,
/// after it was ended, where a signal asks this program to end and an InterruptGuard lives.
LimitedRun run_limited(std::vector<std::string> words, double seconds,
                       std::size_t most = std::size_t{1} << 26);

/// A command as its words: blanks separate them, '...' and "..." hold them together, a backslash takes the next character as
/// it is; nothing else means anything. Throws InputError for a quotation mark that is not closed.
std::vector<std::string> words_of_command(const std::string& command);

}  // namespace ladder
