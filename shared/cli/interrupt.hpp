// Ctrl-C as a request: the run finishes its step, saves, and then ends.
#pragma once

namespace ladder::cli {

/// From here to its end, the first SIGINT or SIGTERM only sets a flag; a second one ends the program at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool requested() const;
  /// Ends the program by the signal that was caught, as if it had not been: the shell then sees what happened.
  [[noreturn]] void end_by_signal() const;
};

}  // namespace ladder::cli
