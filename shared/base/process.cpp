#include "shared/base/process.hpp"

#include <fcntl.h>
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

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/lines.hpp"

namespace ladder {

std::string output_of(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return {};
  std::string text;
  std::array<char, 4096> block{};
  for (std::size_t count; (count = std::fread(block.data(), 1, block.size(), pipe)) > 0;)
    text.append(block.data(), count);
  if (pclose(pipe) != 0) return {};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

Companion::Companion(const std::vector<std::string>& program, const std::filesystem::path& log,
                     const std::vector<std::string>& variables)
    : name_(program.at(0)), log_(log) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw MachineError(fmt::format("{}: no socket: {}", name_, std::strerror(errno)));
  socket_ = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<std::string> words = program, settings = variables;
  const auto pointers =
      [](std::vector<std::string>& texts) {  // posix_spawnp takes them as if it might change them
        std::vector<char*> all;
        for (std::string& text : texts) all.push_back(text.data());
        return all;
      };
  std::vector<char*> arguments = pointers(words), environment = pointers(settings);
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  const int problem =
      posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (problem == 0) return;
  close(socket_);
  throw MachineError(fmt::format("{}: {}", name_, std::strerror(problem)));
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
  const std::string text = line + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail();
    sent += static_cast<std::size_t>(count);
  }
  return read();
}

}  // namespace ladder
