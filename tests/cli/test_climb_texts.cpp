// ladder climb over sixty small texts and settings, drawn at random: whatever a stranger's text is, correct stages agree.
#include <catch2/catch.hpp>

#include <random>
#include <sstream>

#include "shared/base/utf8.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder::test;

namespace {

/// Draws that are the same everywhere: the library's distributions are not.
class Draws {
 public:
  explicit Draws(unsigned seed) : engine_(seed) {}
  int up_to(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
  int between(int low, int high) { return low + up_to(high - low + 1); }
  bool chance(int percent) { return up_to(100) < percent; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return *(choices.begin() + up_to(static_cast<int>(choices.size())));
  }

 private:
  std::mt19937 engine_;
};

using Alphabet = std::vector<std::string>;

Alphabet alphabet(Draws& draws) {
  return draws.one_of<Alphabet>(
      {{"a"}, {"a", "b"}, {"a", "é", "−", "漢", "x"}, {"a", "b", "c", "d", "e", "f", "g"}});
}

std::string word(Draws& draws, const Alphabet& letters, int length) {
  std::string text;
  for (int i = 0; i < length; ++i)
    text += letters[static_cast<std::size_t>(draws.up_to(static_cast<int>(letters.size())))];
  return text;
}

/// A word, equal lines, few short or many long lines.
std::string random_text(Draws& draws) {
  const Alphabet letters = alphabet(draws);
  const int kind = draws.up_to(4), lines = kind == 0   ? 1
                                           : kind == 1 ? 40
                                                       : draws.between(2, kind == 2 ? 20 : 150);
  std::string text, line = word(draws, letters, draws.between(1, 9));
  for (int i = 0; i < lines; ++i) {
    text += line + "\n";
    if (kind > 1) line = word(draws, letters, draws.between(1, kind == 2 ? 3 : 12));
  }
  return text;
}

std::vector<std::string> random_settings(Draws& draws) {
  std::vector<std::string> flags;
  const auto add = [&](const char* flag, const std::string& value) {
    flags.insert(flags.end(), {flag, value});
  };
  add("--steps", draws.one_of<std::string>({"1", "3", "10", "30", "60", "100"}));
  if (draws.chance(40)) add("--n-layer", std::to_string(draws.between(1, 3)));
  if (draws.chance(40)) {
    const int heads = draws.one_of({1, 2, 4});
    add("--n-head", std::to_string(heads));
    add("--n-embd", std::to_string(heads * draws.one_of({1, 2, 4, 8})));
  }
  if (draws.chance(40)) add("--block-size", draws.one_of<std::string>({"1", "2", "5", "16", "17"}));
  if (draws.chance(30)) add("--batch-size", draws.one_of<std::string>({"2", "3", "5"}));
  if (draws.chance(20)) add("--grad-accum", draws.one_of<std::string>({"2", "3"}));
  if (draws.chance(40)) add("--lr", draws.one_of<std::string>({"0.0001", "0.001", "0.03", "0.1"}));
  if (draws.chance(30)) add("--seed", std::to_string(draws.up_to(1000)));
  return flags;
}

}  // namespace

TEST_CASE("every stage passes on sixty random texts and settings") {
  const ladder::TemporaryFolder folder;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Draws draws(seed);
    const std::string text = random_text(draws);
    write_text(folder / "text.txt", text);
    std::vector<std::string> call = {"climb", "--data", "text.txt", "--rounds", "1", "--interpreter-steps",
                                     "0"};
    const std::vector<std::string> settings = random_settings(draws);
    call.insert(call.end(), settings.begin(), settings.end());
    std::string shown;
    for (const std::string& setting : settings) shown += " " + setting;
    const Outcome outcome = run_program(folder.path(), call);
    INFO("seed " << seed << ":" << shown << " on\n" << text << outcome.out << outcome.err);
    CHECK(outcome.code == 0);
  }
}

TEST_CASE("every stage passes where sums are long, scores are large and everything cancels") {
  const ladder::TemporaryFolder folder;
  std::u32string letters;
  for (char32_t letter = 0x100; letter < 0x100 + 700; ++letter) letters += letter;
  write_text(folder / "letters.txt", ladder::encode_utf8(letters) + "\n");
  write_text(folder / "equal.txt", std::string(200, 'b') + "\n");
  for (const std::string settings :
       {"letters.txt --steps 60 --n-layer 1 --n-head 1 --n-embd 12 --block-size 3",
        "letters.txt --steps 60 --n-layer 1 --n-head 1 --n-embd 12 --block-size 16",
        "letters.txt --steps 60 --n-layer 1 --n-head 3 --n-embd 12 --block-size 3 --seed 4294967295",
        "letters.txt --steps 60 --n-layer 3 --n-head 4 --n-embd 4 --block-size 16 --batch-size 5 --lr 0.1 "
        "--seed 0",
        "letters.txt --steps 60 --n-layer 3 --n-head 3 --n-embd 12 --block-size 1 --seed 1 --beta1 0",
        "equal.txt --steps 1 --n-layer 2 --n-head 1 --n-embd 5 --block-size 1 --seed 4294967295"}) {
    std::vector<std::string> call = {"climb", "--model", "microgpt", "--rounds", "1", "--interpreter-steps",
                                     "0",     "--data"};
    std::istringstream words(settings);
    for (std::string word; words >> word;) call.push_back(word);
    const Outcome outcome = run_program(folder.path(), call);
    INFO(settings << "\n" << outcome.out << outcome.err);
    CHECK(outcome.code == 0);
  }
  const Outcome hot =
      run_program(folder.path(), {"parity", "--from", "4", "--to", "1", "--model", "microgpt", "--steps",
                                  "30", "--lr", "100", "--schedule", "constant", "--level", "model"});
  INFO(hot.out << hot.err);
  CHECK(hot.code == 0);
}

TEST_CASE("GPT-2's windows are as long as a short text allows, and left out where there is no room for one") {
  const ladder::TemporaryFolder folder;
  const std::vector<std::string> call = {
      "climb", "--data", "text.txt", "--steps", "2", "--rounds", "1", "--interpreter-steps", "0"};
  write_text(folder / "text.txt", std::string(36, 'a') + "\n");
  const Outcome cut = run_program(folder.path(), call);
  CHECK(cut.code == 0);
  CHECK(cut.err.find("GPT-2 gets windows of 3 positions") != std::string::npos);
  CHECK(cut.out.find("Parity of GPT-2") != std::string::npos);
  write_text(folder / "text.txt", "a\n");
  const Outcome left_out = run_program(folder.path(), call);
  CHECK(left_out.code == 0);
  CHECK(left_out.err.find("too short for GPT-2, which is left out") != std::string::npos);
  CHECK(left_out.out.find("Parity of GPT-2") == std::string::npos);
  // What was asked for is not made smaller.
  std::vector<std::string> parity = {"parity", "--data", "text.txt", "--block-size", "16", "--steps", "1"};
  write_text(folder / "text.txt", std::string(36, 'a') + "\n");
  const Outcome refused = run_program(folder.path(), parity);
  CHECK(refused.code == 2);
  CHECK(refused.err.find("too few for --block-size 16") != std::string::npos);
}
