#include "shared/base/process_limits.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// Bytes of address space and of data that this process has; zeros where the system does not say.
struct Taken {
  std::size_t addresses = 0, data = 0;
};

Taken taken_so_far() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0, resident = 0, shared = 0, text = 0, library = 0, data = 0;
  if (!(file >> size >> resident >> shared >> text >> library >> data)) return {};
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return {size * page, data * page};
}

}  // namespace

std::size_t within_memory_limits(std::size_t available) {
  const Taken taken = taken_so_far();
  const auto at_most = [&](auto which, std::size_t used) {
    rlimit limit{};
    if (::getrlimit(which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const std::size_t left = limit.rlim_cur > used ? static_cast<std::size_t>(limit.rlim_cur) - used : 1;
    available = available == 0 ? left : std::min(available, left);
  };
  at_most(RLIMIT_AS, taken.addresses);
  at_most(RLIMIT_DATA, taken.data);
  return available;
}

void require_descriptors() {
  // A run's lock, its log, an output and pipes to a program that it asks, with some to spare.
  std::array<int, 12> opened{};
  std::size_t count = 0;
  int problem = 0;
  for (; count < opened.size(); ++count) {
    opened[count] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (opened[count] >= 0) continue;
    problem = errno;
    break;
  }
  for (std::size_t i = 0; i < count; ++i) ::close(opened[i]);
  if (problem != EMFILE && problem != ENFILE) return;
  throw MachineError(
      fmt::format("{} files can be opened beside those that are, and {} are needed: raise the limit ({})",
                  count, opened.size(), problem == EMFILE ? "ulimit -n 64" : "the machine's, fs.file-max"));
}

void require_stack() {
  constexpr rlim_t kNeeded = rlim_t{2} << 20;  // one MiB was measured to be too short, two to be enough
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= kNeeded)
    return;
  throw MachineError(
      fmt::format("a stack may have {} KiB, and {} are needed: raise the limit (ulimit -s 8192)",
                  limit.rlim_cur >> 10, kNeeded >> 10));
}

}  // namespace ladder
