#include "shared/base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/lines.hpp"

namespace ladder {

namespace {

/// Without white space at the end.
std::string stripped(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

/// Whether the program ended by itself and well.
bool ended_well(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct Started {
  pid_t process;
  int socket;  ///< its input and its output
};

/// posix_spawnp takes texts as if it might change them.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  return all;
}

/// posix_spawnp() with the signals that this program ignores as they are usual; the error, or 0.
int spawn(pid_t& process, const posix_spawn_file_actions_t& actions, std::vector<char*>& arguments,
          char** environment) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  arguments.push_back(nullptr);
  const int problem =
      posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environment);
  posix_spawnattr_destroy(&attributes);
  return problem;
}

/// Throws MachineError where the program does not start.
Started start(std::vector<std::string> words, const std::filesystem::path& log,
              std::vector<std::string> variables) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw MachineError(fmt::format("{}: no socket: {}", words.at(0), std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<char*> arguments = pointers_to(words), environment = pointers_to(variables);
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);
  Started started{-1, ends[0]};
  const int problem = spawn(started.process, actions, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (problem == 0) return started;
  close(ends[0]);
  throw MachineError(fmt::format("{}: {}", words[0], std::strerror(problem)));
}

/// False where the other end is gone.
bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

/// Sends `input` and receives until the other end closes, both at once: neither may wait for the other. False where
/// `seconds` pass before, or the other end takes no more.
bool exchange(int socket, std::string_view input, double seconds, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::array<char, 4096> block{};
  bool sending = true;
  for (;;) {
    if (sending && input.empty()) sending = shutdown(socket, SHUT_WR) != 0;
    const std::chrono::duration<double, std::milli> left = end - std::chrono::steady_clock::now();
    pollfd waiting{socket, static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = left.count() > 0 ? poll(&waiting, 1, static_cast<int>(left.count()) + 1) : 0;
    if (ready == 0) return false;
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && (waiting.revents & POLLOUT) != 0) {
      const ssize_t count = send(socket, input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno != EINTR && errno != EAGAIN) return false;
      if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
    }
    if (ready > 0 && (waiting.revents & (POLLIN | POLLHUP)) != 0) {
      const ssize_t count = recv(socket, block.data(), block.size(), MSG_DONTWAIT);
      if (count == 0) return !sending;
      if (count < 0 && errno != EINTR && errno != EAGAIN) return false;
      if (count > 0) text.append(block.data(), static_cast<std::size_t>(count));
    }
  }
}

/// Everything that comes until the other end closes.
std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t count = read(descriptor, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(block.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

std::string output_of(std::vector<std::string> program) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments = pointers_to(program);
  pid_t process = -1;
  const int problem = spawn(process, actions, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  bool well = false;
  if (problem == 0) {
    const GoneOnSignal gone(process);
    text = read_all(ends[0]);
    well = ended_well(process);
  }
  close(ends[0]);
  return well ? stripped(std::move(text)) : std::string();
}

std::string answer_of(const std::vector<std::string>& program, std::string_view input, double seconds) {
  Started started{};
  try {
    started = start(program, "/dev/null", {});
  } catch (const MachineError&) {
    return {};
  }
  const GoneOnSignal gone(started.process);
  std::string text;
  const bool whole = exchange(started.socket, input, seconds, text);
  if (!whole) kill(started.process, SIGKILL);
  close(started.socket);
  const bool well = ended_well(started.process);
  return whole && well ? stripped(std::move(text)) : std::string();
}

Companion::Companion(const std::vector<std::string>& program, const std::filesystem::path& log,
                     const std::vector<std::string>& variables)
    : name_(program.at(0)), log_(log) {
  const Started started = start(program, log, variables);
  process_ = started.process;
  gone_.emplace(process_);
  socket_ = started.socket;
}

Companion::~Companion() {
  close(socket_);
  if (process_ < 0) return;
  kill(process_, SIGTERM);
  for (int i = 0; i < 50; ++i) {  // half a second for a program that has something to put away
    if (waitpid(process_, nullptr, WNOHANG) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

void Companion::fail() {
  constexpr std::size_t kLongest = 200;
  std::string last = "it ended";
  std::error_code unreadable;
  if (std::filesystem::exists(log_, unreadable))
    for (const std::string& line : lines_of(read_file(log_)))
      if (!line.empty()) last = line.substr(0, kLongest);
  int status = 0;
  if (process_ >= 0 && waitpid(process_, &status, 0) == process_) {
    process_ = -1;
    gone_.reset();
    if (WIFSIGNALED(status)) last = fmt::format("ended by signal {}", WTERMSIG(status));
  }
  throw MachineError(fmt::format("{}: {}", name_, last));
}

std::string Companion::read() {
  std::array<char, 4096> block{};
  std::size_t end = 0;
  while ((end = unread_.find('\n')) == std::string::npos) {
    const ssize_t count = recv(socket_, block.data(), block.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail();
    unread_.append(block.data(), static_cast<std::size_t>(count));
  }
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

std::string Companion::ask(const std::string& line) {
  if (!send_all(socket_, line + "\n")) fail();
  return read();
}

}  // namespace ladder
