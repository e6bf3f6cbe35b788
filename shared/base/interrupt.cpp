#include "shared/base/interrupt.hpp"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace ladder {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> caught{0}, guards{0};
std::atomic<bool> stderr_is_terminal{false};

// ---- what a signal removes ---------------------------------------------------------------------------------------
// A handler may interrupt anything, such as malloc: from here on there are system calls and memory of its own only.

struct Slot {
  std::atomic<GoneOnSignal::Kind> kind{GoneOnSignal::Kind::none};
  std::atomic<bool> taken{false};
  pid_t owner = 0;  ///< a fork's child has the slots of its parent, which are not its to clear
  pid_t process = 0;
  std::array<char, PATH_MAX> path{};
};
std::array<Slot, 32> slots;

#ifdef SYS_getdents64
/// What the system writes of each entry of a folder.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[1];
};

void remove_contents(int folder, int deepest);

bool remove_entry(int folder, const char* name, int deepest) {
  if (std::string_view(name) == "." || std::string_view(name) == "..") return false;
  if (::unlinkat(folder, name, 0) == 0) return true;
  const int inner = ::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inner < 0) return false;
  if (deepest > 0) remove_contents(inner, deepest - 1);
  ::close(inner);
  return ::unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/// From the start again after each block of entries, until nothing more goes.
void remove_contents(int folder, int deepest) {
  alignas(Entry) std::array<char, 2048> block;
  for (bool removed = true; removed;) {
    removed = false;
    ::lseek(folder, 0, SEEK_SET);
    const long bytes = ::syscall(SYS_getdents64, folder, block.data(), block.size());
    for (long at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const Entry*>(block.data() + at);
      removed = remove_entry(folder, block.data() + at + offsetof(Entry, name), deepest) || removed;
      at += entry->size;
    }
  }
}
#else
void remove_contents(int, int) {}
#endif

void remove_folder(const char* path) {
  constexpr int kDeepest = 8;
  const int folder = ::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return;
  remove_contents(folder, kDeepest);
  ::close(folder);
  ::rmdir(path);
}

/// Programs first: they write into the folders.
void remove_everything() {
  using Kind = GoneOnSignal::Kind;
  const pid_t self = ::getpid();
  for (const Slot& slot : slots)
    if (slot.owner == self && slot.kind == Kind::process) ::kill(slot.process, SIGTERM);
  for (const Slot& slot : slots) {
    if (slot.owner != self) continue;
    if (slot.kind == Kind::file) ::unlink(slot.path.data());
    if (slot.kind == Kind::folder_with_all) remove_folder(slot.path.data());
    if (slot.kind == Kind::empty_folder) ::rmdir(slot.path.data());
  }
}

// ---- the handler -------------------------------------------------------------------------------------------------

/// "ladder: ended by SIGTERM" and `rest`, in one piece.
void say_end(int signal, std::string_view rest) {
  std::array<char, 160> line{};
  std::size_t size = 0;
  const auto add = [&](std::string_view text) {
    const std::size_t count = std::min(text.size(), line.size() - size);
    std::memcpy(line.data() + size, text.data(), count);
    size += count;
  };
  if (stderr_is_terminal) add("\n");  // behind a line that is being rewritten
  add("ladder: ended by ");
  add(signal_name(signal));
  add(rest);
  const ssize_t written = ::write(STDERR_FILENO, line.data(), size);
  static_cast<void>(written);  // nobody is left to be told
}

[[noreturn]] void die(int signal) {
  remove_everything();
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

void on_signal(int signal) {
  const int earlier_error = errno;
  const bool first = caught.exchange(signal) == 0;
  if (first && guards > 0) {
    errno = earlier_error;
    return;
  }
  say_end(signal,
          first ? ": nothing of this call is kept\n" : ", the second signal: nothing more is saved\n");
  die(signal);
}

void ignore(int signal) {
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void hear_signals() {
  stderr_is_terminal = ::isatty(STDERR_FILENO) == 1;
  ignore(SIGPIPE);
  ignore(SIGXFSZ);
  for (const int signal : kSignals) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // a write in progress is not cut short
    sigaction(signal, &action, nullptr);
  }
}

InterruptGuard::InterruptGuard() noexcept { ++guards; }
InterruptGuard::~InterruptGuard() { --guards; }

int interrupting_signal() noexcept { return caught.load(std::memory_order_relaxed); }

void stop_if_interrupted() {
  if (interrupting_signal() != 0) throw Interrupted();
}

const char* signal_name(int signal) noexcept {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "a signal";
  }
}

void end_by_signal(int signal) {
  std::fflush(nullptr);
  die(signal);
}

GoneOnSignal::GoneOnSignal(const std::filesystem::path& path, Kind kind) noexcept {
  const std::string& name = path.native();
  if (name.size() >= PATH_MAX) return;
  for (std::size_t i = 0; i < slots.size() && slot_ < 0; ++i)
    if (!slots[i].taken.exchange(true)) slot_ = static_cast<int>(i);
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  std::memcpy(slot.path.data(), name.c_str(), name.size() + 1);
  slot.owner = ::getpid();
  slot.kind = kind;
}

GoneOnSignal::GoneOnSignal(pid_t process) noexcept : GoneOnSignal("", Kind::none) {
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  slot.process = process;
  slot.kind = Kind::process;
}

GoneOnSignal::~GoneOnSignal() {
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  slot.kind = Kind::none;
  slot.taken = false;
}

}  // namespace ladder
