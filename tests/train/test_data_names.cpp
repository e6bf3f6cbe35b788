// A run's data in its checkpoint: by what name, and whether they are the same.
#include <catch2/catch.hpp>

#include "shared/base/utf8.hpp"
#include "shared/stages.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/run.hpp"
#include "shared/train/safetensors.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE("a checkpoint keeps the name of its data, whatever bytes it is made of") {
  for (const std::string name : {"caf\xe9.txt", "plain.txt", "a\\xe9\n", "\xff"}) {
    const TemporaryFolder folder;
    test::write_text(folder / name, "ann\nbob\n");
    const Run run = prepare_run({}, {}, {folder / name, false, Embedded::names});
    const auto engine = make_engine(1, run.model, {});
    engine->load_parameters(run.initial);
    save_checkpoint(checkpoint_file(folder.path()), make_checkpoint(1, run, *engine, {}));
    CHECK(load_checkpoint(folder.path()).data.path == run.data.path);
    const SafetensorsFile file(checkpoint_file(folder.path()));
    const std::string& text = file.metadata().at("run");
    CHECK(valid_utf8_length(text) == text.size());
  }
}

TEST_CASE("data of which one later line has changed are refused, although the run has not yet come to it") {
  const TemporaryFolder folder;
  const auto path = (folder / "lines").string();
  const bool stream = GENERATE(false, true);
  CAPTURE(stream);
  std::vector<std::string> lines;
  for (int i = 0; i < 60; ++i) lines.push_back(fmt::format("abc{}{}", i / 10, i % 10));
  const auto run_of = [&](const std::vector<std::string>& texts) {
    std::string text;
    for (const std::string& line : texts) text += line + "\n";
    test::write_text(path, text);
    TrainConfig train;
    train.steps = 4;
    return prepare_run({}, train, {path, stream});
  };
  const Run run = run_of(lines);
  Checkpoint checkpoint;
  checkpoint.tokenizer = run.source->shared_tokenizer();
  checkpoint.token_hash = run.source->token_hash();
  checkpoint.data_hash = run.source->data_hash();
  CHECK_NOTHROW(require_same_data(checkpoint, run_of(lines), folder.path()));
  int unseen = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::vector<std::string> changed = lines;
    std::swap(changed[i][0], changed[i][2]);  // the same characters, as many
    const Run other = run_of(changed);
    CAPTURE(i);
    CHECK_THROWS_WITH(require_same_data(checkpoint, other, folder.path()), Contains("other data"));
    unseen += other.source->token_hash() == checkpoint.token_hash ? 1 : 0;
  }
  CHECK(unseen > 50);  // what the first step trains on does not tell

  // Nor do numbers of tokens: here every character is another, in the same order.
  for (std::string& line : lines)
    for (char& character : line) ++character;
  const Run renamed = run_of(lines);
  CHECK(renamed.source->data_hash() == checkpoint.data_hash);
  CHECK_THROWS_WITH(require_same_data(checkpoint, renamed, folder.path()), Contains("other data"));
}
