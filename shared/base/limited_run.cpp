#include "shared/base/limited_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/shown.hpp"

namespace ladder {

namespace {

using Clock = std::chrono::steady_clock;

/// One end of a pipe from the program.
struct Pipe {
  int reading = -1, writing = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
      throw MachineError(fmt::format("no pipe: {}", std::strerror(errno)));
    reading = ends[0], writing = ends[1];
    fcntl(reading, F_SETFL, O_NONBLOCK);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close(reading);
    close_writing();
  }
  void close_writing() {
    if (writing >= 0) close(writing);
    writing = -1;
  }
  /// Appends what is there; false once the other end is closed.
  bool take(std::string& text) const {
    std::array<char, 65536> block{};
    for (;;) {
      const ssize_t count = read(reading, block.data(), block.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno == EAGAIN;
      if (count == 0) return false;
      text.append(block.data(), static_cast<std::size_t>(count));
    }
  }
};

/// The program in a group of its own, with usual signals and nothing to read; the error, or 0.
int spawn_group(pid_t& process, std::vector<std::string>& words, const Pipe& out, const Pipe& err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.writing, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.writing, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t usual;
  sigemptyset(&usual);
  for (const int signal : {SIGPIPE, SIGXFSZ}) sigaddset(&usual, signal);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int problem = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return problem;
}

std::string last_line(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return "";
  text = text.substr(0, end + 1);
  return std::string(text.substr(text.rfind('\n') + 1));  // npos + 1 is 0: the only line
}

/// Follows a program to its end.
class Watch {
 public:
  Watch(pid_t process, const Pipe& out, const Pipe& err) : process_(process), out_(out), err_(err) {}

  void until(Clock::time_point end, std::size_t most, LimitedRun& run) {
    while (!ended()) {
      if (interrupting_signal() != 0) {
        end_group();
        throw Interrupted();
      }
      const auto left = std::chrono::duration<double, std::milli>(end - Clock::now()).count();
      run.timed_out = left <= 0;
      run.too_long = run.out.size() > most;
      if (run.timed_out || run.too_long) break;
      wait(std::min(left + 1, kLongestWait), run);
    }
    end_group();
    take(run);
    run.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
    run.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
  }
  std::string last_words() const { return last_line(errors_); }

 private:
  static constexpr double kLongestWait =
      100;  ///< milliseconds until a signal to this program is seen at the latest
  static constexpr std::size_t kKept = 65536;  ///< of what it says on stderr

  bool ended() {
    if (!ended_) ended_ = waitpid(process_, &status_, WNOHANG) == process_;
    return ended_;
  }
  /// Ends what is left of the group; it may be gone.
  void end_group() {
    kill(-process_, SIGKILL);
    while (!ended_) ended_ = waitpid(process_, &status_, 0) == process_ || errno != EINTR;
  }
  void wait(double milliseconds, LimitedRun& run) {
    // Once both ends are closed there is nothing to poll for but the program's own end.
    std::array<pollfd, 2> waiting{
        {{out_open_ ? out_.reading : -1, POLLIN, 0}, {err_open_ ? err_.reading : -1, POLLIN, 0}}};
    const double most = out_open_ || err_open_ ? milliseconds : std::min(milliseconds, 2.0);
    poll(waiting.data(), waiting.size(), static_cast<int>(most));
    take(run);
  }
  void take(LimitedRun& run) {
    if (out_open_) out_open_ = out_.take(run.out);
    if (err_open_) err_open_ = err_.take(errors_);
    if (errors_.size() > kKept) errors_.erase(0, errors_.size() - kKept);
  }

  pid_t process_;
  const Pipe& out_;
  const Pipe& err_;
  bool ended_ = false, out_open_ = true, err_open_ = true;
  int status_ = 0;
  std::string errors_;
};

}  // namespace

LimitedRun run_limited(std::vector<std::string> words, double seconds, std::size_t most) {
  LimitedRun run;
  Pipe out, err;
  pid_t process = -1;
  const auto start = Clock::now();
  const int problem = spawn_group(process, words, out, err);
  if (problem != 0) {
    run.last_words = fmt::format("{}: {}", shown(words.at(0)), std::strerror(problem));
    return run;
  }
  run.started = true;
  out.close_writing();
  err.close_writing();
  const GoneOnSignal gone(-process);
  Watch watch(process, out, err);
  watch.until(start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)),
              most, run);
  run.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  run.last_words = watch.last_words();
  return run;
}

std::vector<std::string> words_of_command(const std::string& command) {
  std::vector<std::string> words;
  bool inside = false;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (quote == 0 && blank) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (quote != 0 && c == quote)
      quote = 0;
    else if (c == '\\' && quote != '\'' && i + 1 < command.size())
      words.back() += command[++i];
    else
      words.back() += c;
  }
  require(quote == 0, "the command {}: {} is not closed", shown(command), quote);
  return words;
}

}  // namespace ladder
