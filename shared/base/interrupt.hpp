// Signals that ask the program to end: SIGINT (Ctrl-C), SIGTERM and SIGHUP.
//
// Unless something else is said they end it at once, wherever it is, after what it has not finished was removed. Only work
// that can be saved asks to be told instead, for as long as an InterruptGuard lives.
#pragma once

#include <sys/types.h>

#include <exception>
#include <filesystem>

namespace ladder {

/// Thrown by work that a signal asked to stop. No error: who holds the InterruptGuard catches it.
struct Interrupted : std::exception {
  const char* what() const noexcept override { return "interrupted"; }
};

/// To be called once, first of all. From then on one of the signals ends the program by that signal, and a line on stderr
/// says that nothing of this call is kept. A signal that the program was started to ignore stays ignored (nohup, a shell's
/// background). A write to a pipe that nobody reads, or beyond the limit of a file's size, becomes an error of that write.
void hear_signals();

/// While one of these lives, the first signal is only remembered; a second one ends the program at once.
class InterruptGuard {
 public:
  InterruptGuard() noexcept;
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// The signal that came while a guard was there; 0: none.
int interrupting_signal() noexcept;

/// To be called between two pieces of long work, from which a throw must leave everything that is saved as it was.
/// Throws Interrupted when a signal has come.
void stop_if_interrupted();

/// "SIGTERM".
const char* signal_name(int signal) noexcept;

/// Ends the program by `signal`, as if it had not been caught: who started it then sees what happened.
[[noreturn]] void end_by_signal(int signal);

/// Something that a signal must not leave behind, for as long as this lives. Where more is told than there is room for
/// (dozens), or a path is longer than PATH_MAX, a signal leaves it.
class GoneOnSignal {
 public:
  enum class Kind : int { none, file, empty_folder, folder_with_all, process };

  GoneOnSignal(const std::filesystem::path& path, Kind kind) noexcept;
  /// A program that was started: it is ended by SIGTERM.
  explicit GoneOnSignal(pid_t process) noexcept;
  GoneOnSignal(const GoneOnSignal&) = delete;
  GoneOnSignal& operator=(const GoneOnSignal&) = delete;
  ~GoneOnSignal();

 private:
  int slot_ = -1;
};

}  // namespace ladder
