// A machine that fails in the middle: every call to the system that a run makes fails once in turn, by an injector
// (fault_injector.cpp) in front of the C library. Whatever fails, the run ends with a documented exit code and a word, no
// earlier file is lost, no half of a new one and no temporary is left; where it ends well, all that was asked for is there.
#include <catch2/catch.hpp>

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/train/checkpoint.hpp"
#include "tests/support/refused.hpp"

using namespace ladder;
using namespace ladder::test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

using Variables = std::map<std::string, std::string>;

/// Variables of the environment for as long as this lives.
class Environment {
 public:
  explicit Environment(const Variables& variables) : variables_(variables) {
    for (const auto& [name, value] : variables_) {
      if (const char* before = getenv(name.c_str())) before_[name] = before;
      setenv(name.c_str(), value.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const auto& [name, value] : variables_)
      if (before_.contains(name))
        setenv(name.c_str(), before_[name].c_str(), 1);
      else
        unsetenv(name.c_str());
  }

 private:
  Variables variables_, before_;
};

/// What tells a whole output from half a one.
enum class Kind {
  same_bytes,  ///< those of a run without a fault
  checkpoint,  ///< any that loads; of a run that ended well, the same bytes
  json,        ///< times differ from run to run
  html,
  lines  ///< JSON, written while the run goes on: of a run that failed, as far as it came
};

using Outputs = std::map<std::string, Kind>;  ///< by path

/// A call of the program, and a folder as it is before it: inputs, and earlier outputs.
struct Call {
  std::vector<std::string> arguments;
  Outputs outputs;
  TemporaryFolder before;
};

std::set<std::string> entries_of(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    names.insert(fs::relative(entry.path(), folder).string());
  return names;
}

bool is_json(const std::string& text) {
  try {
    return Json::parse(text).is_object();
  } catch (const JsonError&) {
    return false;
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool loads(const fs::path& file) {
  try {
    load_checkpoint(file.parent_path());
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Whether the output is there as a run leaves it that ended well.
bool is_whole(Kind kind, const fs::path& file, const fs::path& faultless) {
  const std::string text = text_of(file);
  if (kind == Kind::json) return is_json(text) && text.find("earlier") == std::string::npos;
  if (kind == Kind::html) return text.ends_with("</html>\n");
  if (kind != Kind::lines) return !text.empty() && text == text_of(faultless);
  const std::vector<std::string> lines = split(text);
  return text.ends_with('\n') && std::ranges::all_of(lines, is_json) &&
         lines.size() == split(text_of(faultless)).size();
}

/// What a run left in its folder, and in its folder for temporary files.
struct Left {
  Outcome outcome;
  TemporaryFolder folder, scratch;
};

std::unique_ptr<Left> run(const Call& call, Variables variables) {
  auto left = std::make_unique<Left>();
  fs::copy(call.before.path(), left->folder.path(), fs::copy_options::recursive);
  variables["TMPDIR"] = left->scratch.path().string();
  variables["LD_PRELOAD"] = LADDER_FAULT_INJECTOR;
  variables["LADDER_FAULT_STANDARD"] = "1";
  const Environment environment(variables);
  Program program(left->folder.path(), call.arguments);
  program.wait_until([] { return false; });  // that it ends, or half a minute is over
  program.send(SIGKILL);
  left->outcome = program.wait();
  return left;
}

/// A place in the program that calls the system.
struct Site {
  std::string kind, number, what;
};

/// Of the many that ask what memory is free, through one function, the first few stand for all.
std::vector<Site> sites_of(const std::string& list) {
  std::vector<Site> sites;
  int asking = 0;
  for (const std::string& line : split(list)) {
    std::istringstream words(line);
    Site site;
    words >> site.kind >> site.number;
    std::getline(words >> std::ws, site.what);
    if (site.what != "/proc/meminfo" || ++asking <= 4) sites.push_back(site);
  }
  return sites;
}

/// The files that the call names are as they were, or whole; nothing else is there.
void check_files(const Call& call, const Left& left, const Left& faultless) {
  std::set<std::string> known = entries_of(faultless.folder.path());
  known.merge(entries_of(call.before.path()));
  for (const std::string& entry : entries_of(left.folder.path())) {
    INFO(entry);
    CHECK(known.contains(entry));
  }
  for (const std::string& entry : entries_of(left.scratch.path())) {
    INFO(entry << " in the folder for temporary files");
    CHECK(false);
  }
  for (const std::string& entry : entries_of(call.before.path())) {
    INFO(entry);
    if (!call.outputs.contains(entry) && fs::is_regular_file(call.before / entry))
      CHECK(text_of(left.folder / entry) == text_of(call.before / entry));
  }
  for (const auto& [name, kind] : call.outputs) {
    INFO(name);
    const fs::path file = left.folder / name, earlier = call.before / name;
    if (is_whole(kind, file, faultless.folder / name)) continue;
    CHECK(left.outcome.code != 0);
    if (kind == Kind::lines) continue;
    const bool as_before = fs::exists(file) == fs::exists(earlier) && text_of(file) == text_of(earlier);
    CHECK((as_before || (kind == Kind::checkpoint && loads(file))));
  }
}

/// Whether the call that fails makes an output: that is told by the exit code, or of a checkpoint on the way by a notice.
void check_told(const Site& site, const Left& left, const Left& faultless) {
  const std::set<std::string> kinds = {"create", "write", "fsync", "rename"};
  const bool elsewhere = site.what.starts_with(faultless.scratch.path().string());
  if (!kinds.contains(site.kind) || elsewhere || left.outcome.code == 3) return;
  CHECK_THAT(left.outcome.err, Contains("ladder: notice: no checkpoint after step "));
}

/// Each fault here is the machine's: exit code 3, and what it was about; or the run could go on.
void check_outcome(const Outcome& outcome) {
  CHECK(outcome.signal == 0);
  CHECK((outcome.code == 0 || outcome.code == 3));
  std::size_t errors = 0;
  for (const std::string& line : split(outcome.err)) {
    CHECK_THAT(line, Catch::Matchers::StartsWith("ladder: "));
    errors += line.starts_with("ladder: notice: ") ? 0 : 1;
  }
  CHECK((errors > 0) == (outcome.code == 3));
}

/// Fails every site once in turn; `stays`: and from then on all calls of its kind. Returns how many there were.
std::size_t fail_each(const Call& call, bool stays = false) {
  const TemporaryFolder list;
  const auto faultless = run(call, {{"LADDER_FAULT_LIST", (list / "sites").string()}});
  INFO(joined(call.arguments));
  INFO(faultless->outcome.err);
  REQUIRE(faultless->outcome.code == 0);
  check_files(call, *faultless, *faultless);
  const std::vector<Site> sites = sites_of(text_of(list / "sites"));
  for (const Site& site : sites) {
    Variables variables = {{"LADDER_FAULT_SITE", site.number}};
    if (stays) variables["LADDER_FAULT_STAYS"] = "1";
    const auto left = run(call, variables);
    INFO(site.kind << " fails" << (stays ? " from here on: " : " once: ") << site.what);
    INFO("exit " << left->outcome.code << ": " << left->outcome.err);
    check_outcome(left->outcome);
    check_told(site, *left, *faultless);
    check_files(call, *left, *faultless);
  }
  return sites.size();
}

const std::vector<std::string> kSmall = {"--n-embd",  "8", "--n-head",     "2",
                                         "--n-layer", "1", "--block-size", "8"};

std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Names to train on, and a file in the place of each output, which no fault may destroy.
void fill_before(const Call& call) {
  std::string names;
  for (int i = 0; i < 20; ++i) names += "anna\nbob\ncarla\ndora\nemil\n";
  write_text(call.before / "names", names);
  for (const auto& [name, kind] : call.outputs)
    if (kind != Kind::checkpoint) write_text(call.before / name, "{\"earlier\": 1}\n");
}

const Outputs kTrained = {{"ck/checkpoint.safetensors", Kind::checkpoint},
                          {"json", Kind::json},
                          {"trace", Kind::json},
                          {"lines", Kind::lines},
                          {"weights", Kind::same_bytes}};
const std::vector<std::string> kTrainedFlags = {"--json",       "json",  "--trace",        "trace",
                                                "--json-lines", "lines", "--save-weights", "weights"};

std::vector<std::string> train_call(const std::string& stage) {
  return with(with({"train", "--data", "names", "--stage", stage, "--device", "cpu", "--steps", "4",
                    "--checkpoint", "ck", "--checkpoint-every", "2"},
                   kTrainedFlags),
              kSmall);
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
TEST_CASE("faults of the system") { std::puts("SKIPPED: a sanitizer wants to be the first library itself"); }
#else

TEST_CASE("a training run whose system fails once") {
  Call call{train_call("1"), kTrained, {}};
  fill_before(call);
  CHECK(fail_each(call) >= 40);
}

TEST_CASE("a training run whose disk fails and stays so") {
  Call call{train_call("2"), kTrained, {}};
  fill_before(call);
  fail_each(call, /*stays=*/true);
}

TEST_CASE("a resumed run whose system fails once") {
  Call call{
      with({"train", "--resume", "--checkpoint", "ck", "--device", "cpu"}, kTrainedFlags), kTrained, {}};
  fill_before(call);
  REQUIRE(run_program(call.before.path(), with({"train", "--data", "names", "--stage", "3", "--device", "cpu",
                                                "--steps", "6", "--checkpoint", "ck"},
                                               kSmall))
              .code == 0);
  Checkpoint checkpoint = load_checkpoint(call.before / "ck");
  checkpoint.history.loss.resize(3);  // as if the run had been ended there
  save_checkpoint(checkpoint_file(call.before / "ck"), checkpoint);
  CHECK(fail_each(call) >= 40);
}

TEST_CASE("texts and logits of a model on a system that fails once") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"sample", "--num-samples", "2"}, {"logits", "--tokens", "0,1,2"}}) {
    Call call{with(words, {"--weights", "weights", "--json", "json"}), {{"json", Kind::json}}, {}};
    fill_before(call);
    REQUIRE(
        run_program(call.before.path(),
                    with({"train", "--data", "names", "--steps", "1", "--save-weights", "weights"}, kSmall))
            .code == 0);
    CHECK(fail_each(call) >= 8);
  }
}

TEST_CASE(
    "a system that starts no thread: a number that was asked for is refused and without one all stages run") {
  const TemporaryFolder folder;
  const Environment environment({{"LD_PRELOAD", LADDER_FAULT_INJECTOR}, {"LADDER_FAULT_KIND", "thread"}});
  for (const char* stage : {"0", "1", "2", "3", "4"}) {
    const std::vector<std::string> words = {"train", "--stage", stage, "--device", "cpu", "--steps", "1"};
    const Outcome some = run_program(folder.path(), words);
    INFO("stage " << stage << ": " << some.err);
    CHECK(some.code == 0);
    const Outcome three = run_program(folder.path(), with(words, {"--threads", "3"}));
    INFO(three.err);
    CHECK(three.code == (stage[0] == '0' ? 0 : 3));  // stage 0 computes on one
    if (stage[0] != '0') CHECK_THAT(three.err, Contains("3 asked for, 1 started"));
  }
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"profile", "--stage", "1", "--steps", "1"},
           {"parity", "--level", "kernel", "--from", "1", "--to", "2", "--device", "cpu"}}) {
    const Outcome outcome = run_program(folder.path(), words);
    INFO(joined(words) << ": " << outcome.err);
    CHECK(outcome.code == 0);
  }
  // Large enough for a thread that makes the next batch.
  const Outcome ahead =
      run_program(folder.path(), {"train", "--stage", "1", "--batch-size", "1024", "--steps", "2"});
  INFO(ahead.err);
  CHECK(ahead.code == 0);
}

TEST_CASE("a climb on a system that fails once", "[slow]") {
  Call call{with({"climb", "--data", "names", "--device", "cpu", "--steps", "2", "--rounds", "1", "--report",
                  "report", "--json", "json", "--interpreter-steps", "2"},
                 kSmall),
            {{"report", Kind::html}, {"json", Kind::json}},
            {}};
  fill_before(call);
  CHECK(fail_each(call) >= 40);
}
#endif
