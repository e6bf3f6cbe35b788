// A call to the system that failed: is it what was asked for, or the machine?
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "shared/base/error.hpp"

namespace ladder {

/// Whether `problem`, an errno, says that the machine has no room, memory or descriptor left or that its disk is broken:
/// the same call may work elsewhere or later. All others speak of the name that was given, or of rights to it.
inline bool is_of_the_machine(int problem) {
  switch (problem) {
    case EAGAIN:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOLCK:
    case ENOMEM:
    case ENOSPC:
      return true;
    default:
      return false;
  }
}

/// The same of an error that the standard library throws: of the file system, of a thread.
inline bool is_of_the_machine(const std::error_code& problem) {
  const bool is_errno =
      problem.category() == std::generic_category() || problem.category() == std::system_category();
  return !is_errno || is_of_the_machine(problem.value());
}

/// Throws the formatted message unless `ok`: MachineError where `problem` is of the machine, otherwise InputError.
template <class... Args>
void require_call(bool ok, int problem, fmt::format_string<Args...> message, Args&&... args) {
  if (ok) [[likely]]
    return;
  const std::string text = fmt::format(message, std::forward<Args>(args)...);
  if (is_of_the_machine(problem)) throw MachineError(text);
  throw InputError(text);
}

}  // namespace ladder
