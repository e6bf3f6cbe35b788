#include "shared/base/write_to_reader.hpp"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "shared/base/interrupt.hpp"

namespace ladder {
namespace {

/// Waits until the descriptor takes bytes, or tells an error; false where a signal has come that asks the program to end.
bool wait_for(int descriptor) {
  constexpr int kMilliseconds = 500;
  for (;;) {
    pollfd waiting{descriptor, POLLOUT, 0};
    if (::poll(&waiting, 1, kMilliseconds) > 0) return true;
    if (interrupting_signal() != 0) return false;
  }
}

}  // namespace

int write_to_reader(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait_for(descriptor)) return EINTR;
    const ssize_t count = ::write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

}  // namespace ladder
