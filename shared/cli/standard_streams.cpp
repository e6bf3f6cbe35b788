#include "shared/cli/standard_streams.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "shared/base/shown.hpp"
#include "shared/base/write_to_reader.hpp"

namespace ladder::cli {
namespace {

/// The first error of stdout; 0: none.
std::atomic<int> problem{0};

/// Opened for reading, where a write fails as it does on what is closed.
void fill_closed(int descriptor) {
  if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) return;
  const int opened = ::open("/dev/null", O_RDONLY);  // takes the lowest free number
  if (opened >= 0 && opened != descriptor) ::close(opened);
}

#if defined(__GLIBC__)
ssize_t take_output(void*, const char* bytes, std::size_t size) {
  if (problem == 0) problem = write_to_reader(STDOUT_FILENO, {bytes, size});
  return static_cast<ssize_t>(size);  // whatever came of it
}

ssize_t take_message(void*, const char* bytes, std::size_t size) {
  write_to_reader(STDERR_FILENO, {bytes, size});
  return static_cast<ssize_t>(size);
}

std::FILE* stream_to(cookie_write_function_t* take) {
  cookie_io_functions_t functions = {};
  functions.write = take;
  return ::fopencookie(nullptr, "w", functions);
}
#endif

}  // namespace

void take_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) fill_closed(descriptor);
#if defined( \
    __GLIBC__)  // where stdout is a variable; elsewhere stdout_problem() finds what printing has not thrown
  if (std::FILE* out = stream_to(take_output)) {
    if (::isatty(STDOUT_FILENO) == 1) std::setvbuf(out, nullptr, _IOLBF, BUFSIZ);
    stdout = out;
  }
  if (std::FILE* err = stream_to(take_message)) {
    std::setvbuf(err, nullptr, _IOLBF, BUFSIZ);
    stderr = err;
  }
#endif
}

std::string for_stdout(std::string_view text) {
  return ::isatty(STDOUT_FILENO) == 1 ? shown_text(text) : std::string(text);
}

void notice(std::string_view text) {
  constexpr std::size_t kLongest = 1500;
  std::fflush(stdout);
  fmt::print(stderr, "ladder: notice: {}\n", shown(text, kLongest));
}

bool stdout_failed() { return problem != 0; }

bool stdout_interrupted() { return problem == EINTR; }

std::string stdout_problem() {
  if (std::fflush(stdout) != 0 && problem == 0) problem = errno;
  if (problem == 0 || problem == EPIPE) return {};
  return fmt::format("what it prints could not be written to its standard output ({})",
                     problem == EBADF ? "it is closed" : std::strerror(problem));
}

}  // namespace ladder::cli
