// A call to the system that failed: is it what was asked for, or the machine?
#pragma once

#include <cerrno>
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
