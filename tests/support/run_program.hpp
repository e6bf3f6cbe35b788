// Runs the program `ladder` as a user does: as a process of its own, with its output and exit code.
#pragma once

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "shared/base/temporary_folder.hpp"

namespace ladder::test {

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

struct Outcome {
  int code = -1;   ///< exit code, or -1 when a signal ended it
  int signal = 0;  ///< that signal, or 0
  std::string out, err;
};

/// A running program. The folder is its working directory; its output goes to files beside it, not into it.
class Program {
 public:
  /// `before` is called in the new process, with its output in place, before the program begins.
  Program(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
          const std::function<void()>& before = {}) {
    std::vector<std::string> words = {LADDER_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string out = (output_ / "out").string(), err = (output_ / "err").string();
    process_ = fork();
    if (process_ == 0) {
      const int flags = O_WRONLY | O_CREAT | O_TRUNC;
      const bool ready = chdir(folder.c_str()) == 0 &&
                         dup2(open(out.c_str(), flags, 0600), STDOUT_FILENO) >= 0 &&
                         dup2(open(err.c_str(), flags, 0600), STDERR_FILENO) >= 0;
      for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);  // not as nohup set them
      if (ready && before) before();
      if (ready) execv(argv[0], argv.data());
      _exit(126);
    }
    if (process_ < 0) throw std::runtime_error("fork failed");
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  pid_t id() const { return process_; }
  void send(int signal) const { ::kill(process_, signal); }
  std::string out_so_far() const { return text_of(output_ / "out"); }

  Outcome wait() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = 0;
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                    text_of(output_ / "out"), text_of(output_ / "err")};
    return outcome;
  }

  /// False when the program ended, or half a minute passed, before `condition` held.
  template <class Condition>
  bool wait_until(Condition condition) const {
    for (int i = 0; i < 30000; ++i) {
      if (condition()) return true;
      siginfo_t info = {};
      waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid != 0) return condition();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

 private:
  TemporaryFolder output_;
  pid_t process_ = 0;
};

inline Outcome run_program(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                           const std::function<void()>& before = {}) {
  return Program(folder, arguments, before).wait();
}

/// What the program prints on a terminal, both outputs.
inline std::string on_terminal(const std::filesystem::path& folder,
                               const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {LADDER_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int master = -1;
  const pid_t process = forkpty(&master, nullptr, nullptr, nullptr);
  if (process == 0) {
    if (chdir(folder.c_str()) == 0) execv(argv[0], argv.data());
    _exit(126);
  }
  if (process < 0) throw std::runtime_error("forkpty failed");
  std::string shown(std::size_t{1} << 16, '\0'), all;
  for (ssize_t count = 0; (count = read(master, shown.data(), shown.size())) > 0;)
    all.append(shown, 0, static_cast<std::size_t>(count));
  close(master);
  waitpid(process, nullptr, 0);
  return all;
}

}  // namespace ladder::test
