// Errors: one exception type per exit code, and require(), the project's precondition.
//
// The program ends with 0 (done), 1 (a check failed: CheckError), 2 (bad usage or input: InputError) or
// 3 (this machine cannot: MachineError). Each message is one line that says what, where and what would be valid.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace ladder {

/// Exit code 1: a comparison that the program was asked to make did not hold.
struct CheckError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Exit code 2: bad usage or bad input. Nothing half-written may be left behind.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Exit code 3: this machine cannot do it (no GPU, driver too old, out of memory).
struct MachineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws InputError with the formatted message unless `ok`. Stays on in every build, unlike assert().
template <class... Args>
void require(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) [[unlikely]]
    throw InputError(fmt::format(message, std::forward<Args>(args)...));
}

/// Calls body(); an InputError of it then begins with `source`, the file that it came from.
template <class Body>
auto naming_source(std::string_view source, const Body& body) {
  try {
    return body();
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", source, error.what()));
  }
}

}  // namespace ladder
