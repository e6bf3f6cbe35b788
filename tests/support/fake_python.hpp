// A stand-in for python3, so that what asks it is tested on machines without PyTorch, too.
#pragma once

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "shared/base/json.hpp"
#include "tests/support/run_program.hpp"

namespace ladder::test {

/// A program `python3` of our own in front of all others, for as long as this lives: `script` in sh.
class FakePython {
 public:
  FakePython(const TemporaryFolder& folder, const std::string& script) {
    std::filesystem::create_directory(folder / "bin");
    write_text(folder / "bin/python3", "#!/bin/sh\n" + script);
    std::filesystem::permissions(folder / "bin/python3", std::filesystem::perms::owner_all);
    setenv("PATH", ((folder / "bin").string() + ":" + before_).c_str(), 1);
  }
  FakePython(const FakePython&) = delete;
  FakePython& operator=(const FakePython&) = delete;
  ~FakePython() { setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_ = getenv("PATH") == nullptr ? "" : getenv("PATH");
};

/// A script that serves as tests/bench/pytorch_baseline.py does: answers one request after the other, both in JSON.
inline std::string serving(const std::string& eager, const std::string& compiled) {
  return "echo '{\"version\": \"PyTorch 9.9\", \"device\": \"none\"}'\n"
         "while read -r request; do\n"
         "  case $request in *compiled*true,*dropout*) " +
         compiled + ";; *) " + eager + ";; esac\ndone\n";
}

/// Such an answer, as a command of the script.
inline std::string answer(const std::vector<double>& losses, const std::string& seconds) {
  return "echo '{\"losses\": " + numbers_or_texts(losses).dump() + ", \"seconds\": " + seconds + "}'";
}

}  // namespace ladder::test
