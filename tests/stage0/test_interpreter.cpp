// Stage 0 against the interpreter baseline, run now by this machine's python3 on the embedded names.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "shared/base/files.hpp"
#include "shared/data/embedded_names.hpp"
#include "shared/model/optimizer.hpp"
#include "tests/stage0/replay.hpp"

namespace fs = std::filesystem;

namespace {

/// A folder of this process alone.
struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "ladder-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

void require_equal_to_interpreter(const std::string& flags, const std::string& text) {
  const Folder folder;
  ladder::write_file(folder.path / "data.txt", text);
  const std::string trace = folder.path / "trace.json";
  const std::string data = folder.path / "data.txt";
  const std::string command = "python3 '" LADDER_SOURCE_DIR "/shared/baseline/microgpt.py' --data '" + data +
                              "' --trace '" + trace + "' " + flags + " > /dev/null";
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
  ladder::require_replay(trace, data);
}

}  // namespace

TEST_CASE("stage 0 equals the live interpreter in three shapes", "[interpreter]") {
  const std::string names(ladder::embedded_names);
  require_equal_to_interpreter("--seed 3 --steps 4 --schedule-steps 1000 --samples 3", names);
  require_equal_to_interpreter(
      "--seed 0 --n-layer 2 --n-embd 12 --n-head 2 --block-size 5 --steps 4 --samples 5 "
      "--temperature 1.3 --lr 0.03",
      names);
  require_equal_to_interpreter(
      "--seed 4294967295 --n-embd 15 --n-head 5 --steps 4 --samples 2 --temperature 0.7 "
      "--beta1 0.9 --beta2 0.95 --eps 1e-6",
      names);
}

TEST_CASE("the learning rate stays 0 past the schedule, in both programs", "[interpreter]") {
  require_equal_to_interpreter("--steps 5 --schedule-steps 2 --samples 2", "ab\nba\n");
  ladder::TrainConfig train;
  train.schedule_steps = 2;
  CHECK(ladder::learning_rate_at(train, 1) > 0.0);
  for (const std::int64_t step : {2, 3, 1000}) CHECK(ladder::learning_rate_at(train, step) == 0.0);
}

TEST_CASE("stage 0 equals the live interpreter on text that is not ASCII", "[interpreter]") {
  require_equal_to_interpreter("--n-embd 8 --n-head 2 --steps 6 --samples 4",
                               "  zoë \n\nчай\n茶\nα β\n\u00a0été\u2003\n");
}
