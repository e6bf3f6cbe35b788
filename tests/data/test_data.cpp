#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "shared/base/error.hpp"
#include "shared/base/hash.hpp"
#include "shared/data/embedded_names.hpp"
#include "shared/data/embedded_source.hpp"
#include "shared/data/text.hpp"
#include "shared/train/run.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

using Ids = std::vector<std::int32_t>;

GptConfig model_of_block(int block_size) {
  GptConfig model;
  model.block_size = block_size;
  return model;
}

TrainConfig batches(int batch_size, int grad_accum = 1, std::int64_t seed = 42) {
  TrainConfig train;
  train.batch_size = batch_size;
  train.grad_accum = grad_accum;
  train.seed = seed;
  return train;
}

/// What prepare_run makes of a file with these bytes.
Run run_of(std::string_view bytes, int block_size = 16, const TrainConfig& train = {}, bool stream = false) {
  const TemporaryFolder folder;
  test::write_text(folder / "text", bytes);
  return prepare_run(model_of_block(block_size), train, {(folder / "text").string(), stream});
}

std::u32string characters_of(const Run& run) {
  return dynamic_cast<const CharacterTokenizer&>(run.source->tokenizer()).characters();
}

DocumentSource documents(const std::vector<std::u32string>& texts, int block_size, const TrainConfig& train) {
  return {texts, std::make_shared<CharacterTokenizer>(CharacterTokenizer::of(texts, true)),
          model_of_block(block_size), train};
}

}  // namespace

TEST_CASE("lines are cut and stripped as the original does") {
  CHECK(split_documents(U"\n  ann \n\n\tbob\n\u3000eve\u00A0\n \n", "f") ==
        std::vector<std::u32string>{U"ann", U"bob", U"eve"});
  CHECK(split_documents(U"a b\u2028c\u0085d", "f") == std::vector<std::u32string>{U"a b\u2028c\u0085d"});
  CHECK(split_documents(U"x", "f") == std::vector<std::u32string>{U"x"});
  for (const char32_t* blank : {U"", U"\n\n", U" \t\n\u2003"})
    CHECK_THROWS_WITH(split_documents(blank, "names.txt"), Contains("names.txt"));
}

TEST_CASE("carriage returns end lines, a byte order mark stays a character") {
  CHECK(characters_of(run_of("ann\r\nbob\r\n")) == U"abno");
  CHECK(characters_of(run_of("ann\rbob")) == U"abno");
  CHECK(characters_of(run_of("\xEF\xBB\xBF"
                             "ann")) == U"an\uFEFF");
}

TEST_CASE("files that cannot be trained on are refused by name") {
  const TemporaryFolder folder;
  const auto prepare = [&](const std::string& name) {
    return prepare_run(model_of_block(8), {}, {(folder / name).string(), false});
  };
  test::write_text(folder / "empty", "");
  test::write_text(folder / "blank", " \n\n");
  test::write_text(folder / "latin",
                   "ann\nb\xE9"
                   "a\n");
  CHECK_THROWS_WITH(prepare("missing"), Contains("missing") && Contains("No such file"));
  CHECK_THROWS_WITH(prepare("empty"), Contains("empty"));
  CHECK_THROWS_WITH(prepare("blank"), Contains("blank"));
  CHECK_THROWS_WITH(prepare("latin"), Contains("latin") && Contains("line 2"));
  CHECK_THROWS_WITH(prepare(""), Contains("directory"));
}

TEST_CASE("the embedded names are the default data") {
  const Run run = prepare_run(model_of_block(16), {}, {});
  CHECK(run.model.vocab_size == run.source->tokenizer().vocab_size());
  CHECK(run.source->tokenizer().has_bos());
  CHECK(std::count(embedded_names.begin(), embedded_names.end(), '\n') >= 900);
  CHECK(run.initial.size() == parameter_specs(run.model).size());
}

TEST_CASE("the embedded texts are their files, byte for byte") {
  const auto bytes_of = [](const std::string& name) {
    return test::text_of(LADDER_SOURCE_DIR "/shared/data/" + name);
  };
  CHECK((embedded_names == bytes_of("names.txt")));
  CHECK((embedded_source == bytes_of("ladder_source.txt")));
  Hash64 hash;
  hash.add(embedded_source);
  CHECK(hex64(hash.value()) == "ad2d9511f4be7f6d");  // losses on it can be compared only while it stays
}

TEST_CASE("GPT-2 in its published sizes trains on the program's own source unless told otherwise") {
  const std::set<std::string> of_source = {"shakespeare_char", "gpt2", "gpt2-medium", "gpt2-large",
                                           "gpt2-xl"};
  for (const Preset& preset : presets()) {
    INFO(preset.name);
    CHECK((preset.embedded == Embedded::source) == of_source.contains(preset.name));
    CHECK((preset.character_stream || preset.embedded == Embedded::names));
  }
  const Run run = prepare_run(model_of_block(16), {}, {"", true, Embedded::source});
  CHECK(run.model.vocab_size == 94);  // plain ASCII, without three of its characters
  CHECK(run.source->describe() == "a stream of 1393345 characters, the last 139335 held out");
  CHECK(run.source->token_hash() != prepare_run(model_of_block(16), {}, {"", true}).source->token_hash());
}

TEST_CASE("what is trained on has one name in titles and one in sentences") {
  const DataOptions names, source{"", true, Embedded::source}, file{"a/b.txt", true, Embedded::source};
  CHECK(data_title(names) == "embedded names");
  CHECK(source_name(names) == "the embedded names");
  CHECK(data_title(source) == "this program's own source text");
  CHECK(source_name(source) == data_title(source));
  CHECK(data_title(file) == "a/b.txt");
  CHECK(source_name(file) == "a/b.txt");
  const DataOptions small{"", true, Embedded::names};
  CHECK_THROWS_WITH(prepare_run(model_of_block(100000), {}, small), Contains("the embedded names: "));
  CHECK_THROWS_WITH(prepare_run(model_of_block(200000), {}, source), Contains("own source text: 1393345 "));
}

TEST_CASE("step s trains on document s mod D between two BOS") {
  const DocumentSource source = documents({U"ab", U"c", U"abc"}, 8, batches(1));
  const Ids first = {3, 0, 1}, first_targets = {0, 1, 3};
  for (std::int64_t s : {std::int64_t{0}, std::int64_t{3}, std::int64_t{6}, std::int64_t{3000000000}}) {
    CHECK(source.sequence(s, 0).tokens == first);
    CHECK(source.sequence(s, 0).targets == first_targets);
  }
  CHECK(source.sequence(1, 0).tokens == Ids{3, 2});
  CHECK(source.sequence(1, 0).targets == Ids{2, 3});
  CHECK(source.sequence(2, 0).targets == Ids{0, 1, 2, 3});
}

TEST_CASE("batches and micro-batches count through the documents in order") {
  const std::vector<std::u32string> texts = {U"a", U"b", U"c", U"d", U"e"};
  const DocumentSource source = documents(texts, 4, batches(3, 2));
  Ids seen;
  for (std::int64_t s = 0; s < 5; ++s) {
    const std::vector<Batch> step = source.step(s);
    REQUIRE(step.size() == 2);
    for (const Batch& batch : step) {
      REQUIRE(batch.batch() == 3);
      CHECK(batch.rows() == 6);
      for (int b = 0; b < 3; ++b) seen.push_back(batch.targets_n[2 * static_cast<std::size_t>(b)]);
    }
  }
  REQUIRE(seen.size() == 30);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<std::int32_t>(i % 5));
}

TEST_CASE("all ranks together train on what one rank would in a larger step") {
  std::string text;
  for (int i = 0; i < 400; ++i) text += i % 7 == 6 ? '\n' : static_cast<char>('a' + i * i % 23);
  for (const bool stream : {false, true})
    for (const int ranks : {1, 2, 3}) {
      INFO((stream ? "stream, " : "documents, ") << ranks << " ranks");
      const Run shared = run_of(text, 4, batches(3, 2), stream);
      const Run alone = run_of(text, 4, batches(3, 2 * ranks), stream);
      for (std::int64_t s = 0; s < 20; ++s) {
        const std::vector<Batch> expected = alone.source->step(s, Layout::padded);
        for (int rank = 0; rank < ranks; ++rank) {
          const std::vector<Batch> own = shared.source->step(s, Layout::padded, rank, ranks);
          REQUIRE(own.size() == 2);
          for (std::size_t g = 0; g < own.size(); ++g) {
            const Batch& same =
                expected[g * static_cast<std::size_t>(ranks) + static_cast<std::size_t>(rank)];
            CHECK(own[g].tokens_n == same.tokens_n);
            CHECK(own[g].targets_n == same.targets_n);
          }
        }
      }
    }
}

TEST_CASE("ranks that do not exist, and steps too large for them, are refused") {
  const DocumentSource source = documents({U"ab", U"c"}, 4, batches(1 << 15, 1 << 15));
  for (const auto& [rank, ranks] : {std::pair{-1, 1}, {1, 1}, {2, 2}, {0, 0}})
    CHECK_THROWS_WITH(source.step(0, Layout::packed, rank, ranks), Contains("rank"));
  CHECK_THROWS_WITH(source.step(0, Layout::packed, 0, 2), Contains("2 ranks") && Contains("2^31-1"));
}

TEST_CASE("the layout changes the rows, not the sequences") {
  const DocumentSource source = documents({U"ab", U"abcd"}, 6, batches(2));
  const Batch packed = source.step(0, Layout::packed).front(),
              padded = source.step(0, Layout::padded).front();
  CHECK(packed.rows() == 3 + 5);
  CHECK(padded.rows() == 12);
  CHECK(packed.lengths_b == padded.lengths_b);
}

TEST_CASE("a document longer than the block gives its first positions, with one notice") {
  const DocumentSource source = documents({U"abcdef", U"ab"}, 4, batches(1));
  CHECK(source.sequence(0, 0).tokens == Ids{6, 0, 1, 2});
  CHECK(source.sequence(0, 0).targets == Ids{0, 1, 2, 3});
  CHECK_THAT(source.notice(), Contains("1 of 2 documents") && Contains("first 4 positions"));
  // Three characters and BOS are four positions: they fit.
  CHECK(documents({U"abc"}, 4, batches(1)).notice().empty());
  CHECK_FALSE(documents({U"abc"}, 3, batches(1)).notice().empty());
}

TEST_CASE("one document, and documents of one character, are enough") {
  const Run one = run_of("x\n");
  CHECK(one.model.vocab_size == 2);
  CHECK(one.source->sequence(5, 0).tokens == Ids{1, 0});
  CHECK(one.source->sequence(5, 0).targets == Ids{0, 1});
  CHECK(run_of("a\nb\nc\n", 1).source->sequence(0, 0).tokens.size() == 1);
}

TEST_CASE("the token hash depends on the data, the order and the batch, not on the layout") {
  const auto hash = [](std::int64_t seed, int batch, std::string_view text) {
    return run_of(text, 16, batches(batch, 1, seed)).source->token_hash();
  };
  const std::string_view names = "ann\nbob\neve\nkim\njoe\n";
  std::set<std::uint64_t> all = {hash(1, 5, names), hash(1, 3, names), hash(2, 5, names),
                                 hash(1, 5, "ann\nbob\neve\nkim\njo\n")};
  CHECK(all.size() == 4);
  CHECK(hash(1, 2, names) == hash(1, 2, names));
}

TEST_CASE("the same run comes out of the same seed, another out of another") {
  const Run a = run_of("ann\nbob\neve\n"), b = run_of("ann\nbob\neve\n");
  CHECK(a.initial[0].values() == b.initial[0].values());
  CHECK(a.random.state() == b.random.state());
  CHECK(a.source->data_hash() == b.source->data_hash());
  CHECK(run_of("ann\nbob\neve\n", 16, batches(1, 1, 7)).initial[0].values() != a.initial[0].values());
}

TEST_CASE("windows of a stream lie in its first nine tenths, are reproducible and spread") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i % 26);
  const Run run = run_of(text, 10, batches(4, 2), true);
  const TokenSource& source = *run.source;
  CHECK(run.model.vocab_size == 26);
  std::set<Ids> different;
  for (std::int64_t s = 0; s < 50; ++s)
    for (int i = 0; i < 8; ++i) {
      const Sequence window = source.sequence(s, i);
      REQUIRE(window.tokens.size() == 10);
      CHECK(std::equal(window.tokens.begin() + 1, window.tokens.end(), window.targets.begin()));
      CHECK(window.tokens == source.sequence(s, i).tokens);
      different.insert(window.tokens);
    }
  CHECK(different.size() == 26);
  std::set<Ids> held_out;
  for (int i = 0; i < 50; ++i) held_out.insert(source.evaluation_sequence(DataPart::held_out, i).tokens);
  CHECK(held_out.size() > 10);
  CHECK(run_of(text, 10, batches(4, 2, 1), true).source->token_hash() != source.token_hash());
}

TEST_CASE("held-out windows never meet training windows") {
  const std::string text = std::string(900, 'a') + std::string(100, 'b');
  const Run run = run_of(text, 20, batches(1), true);
  const TokenSource& source = *run.source;
  for (std::int64_t s = 0; s < 2000; ++s) {
    const Sequence inside = source.sequence(s, 0),
                   outside = source.evaluation_sequence(DataPart::held_out, static_cast<int>(s));
    REQUIRE(std::count(inside.targets.begin(), inside.targets.end(), 1) == 0);
    REQUIRE(std::count(outside.tokens.begin(), outside.tokens.end(), 0) == 0);
  }
}

TEST_CASE("every start of a stream can be drawn, the last one included") {
  // 18 to train on: windows start at 0 .. 16
  const Run run = run_of("abcdefghijklmnopqrst", 1, batches(1), true);
  std::set<std::int32_t> starts;
  for (std::int64_t s = 0; s < 2000; ++s) starts.insert(run.source->sequence(s, 0).tokens.front());
  CHECK(starts.size() == 17);
  CHECK(*starts.rbegin() == 16);
}

TEST_CASE("a stream that is too short says how long it must be") {
  CHECK_THROWS_WITH(run_of("abcdefghij", 4, {}, true),
                    Contains("10 characters") && Contains("--block-size 4"));
}

TEST_CASE("settings are refused before the data are read") {
  GptConfig model;
  model.n_embd = 15;
  CHECK_THROWS_WITH(prepare_run(model, {}, {"/nonexistent", false}), Contains("--n-embd"));
  TrainConfig train;
  train.learning_rate = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(prepare_run({}, train, {"/nonexistent", false}), Contains("--lr"));
  CHECK_THROWS_WITH(prepare_run({}, batches(100000, 100000), {}), Contains("--grad-accum"));
}

TEST_CASE("documents are described by how many they are and by the longest, wherever it stands") {
  CHECK(documents({U"a", U"abc", U"ab"}, 4, batches(1)).describe() ==
        "3 documents, the longest has 3 characters");
  CHECK(documents({U"a"}, 4, batches(1)).describe() == "1 document, the longest has 1 character");
  CHECK_THAT(documents({U"abcde", U"a", U"abcd"}, 4, batches(1)).notice(), Contains("2 of 3 documents"));
  CHECK(documents({U"a"}, 4, batches(3, 2)).largest_step() == 24);
}

TEST_CASE("a window depends on all bits of step and seed, on its index and on what it is for") {
  OwnedTokens tokens(50000);
  for (int i = 0; i < 50000; ++i) tokens.append(i);
  const auto start = [&](std::int64_t step, int index, std::uint64_t seed, WindowsFor purpose) {
    return Windows(tokens.view(), 4, seed, purpose, "text", 50000).draw(step, index).tokens.front();
  };
  const std::int64_t far = std::int64_t{1} << 32;
  const std::set<std::int32_t> starts = {
      start(0, 0, 1, WindowsFor::training),   start(1, 0, 1, WindowsFor::training),
      start(far, 0, 1, WindowsFor::training), start(0, 1, 1, WindowsFor::training),
      start(0, 0, 2, WindowsFor::training),   start(0, 0, 1 + (std::uint64_t{1} << 32), WindowsFor::training),
      start(0, 0, 1, WindowsFor::held_out),   start(0, 0, 1, WindowsFor::evaluation)};
  CHECK(starts.size() == 8);
}

TEST_CASE("a token beyond the vocabulary is told with its place and its part, a target included") {
  OwnedTokens tokens(6);
  for (const int token : {0, 1, 2, 5}) tokens.append(token);
  const auto drawn = [&](WindowsFor purpose, int vocabulary) {
    return Windows(tokens.view(), 3, 1, purpose, "file", vocabulary).draw(0, 0);
  };
  CHECK(drawn(WindowsFor::training, 6).targets == Ids{1, 2, 5});
  CHECK_THROWS_WITH(drawn(WindowsFor::held_out, 5),
                    Contains("file: token 5 at position 3 of what is held out") && Contains("0 to 4"));
  for (const WindowsFor purpose : {WindowsFor::training, WindowsFor::evaluation})
    CHECK_THROWS_WITH(drawn(purpose, 5), Contains("of what is trained on"));
  CHECK_THROWS_WITH(Windows(tokens.view(), 4, 1, WindowsFor::training, "file", 6),
                    Contains("file: 4 tokens are too few for --block-size 4: one window is 5 tokens"));
}

TEST_CASE("a stream's held-out tenth that is exactly one window is enough, one character less is not") {
  const auto text = [](int size) {
    std::string letters;
    for (int i = 0; i < size; ++i) letters += static_cast<char>('a' + i % 7);
    return letters;
  };
  CHECK(run_of(text(50), 4, {}, true).source->describe() == "a stream of 50 characters, the last 5 held out");
  CHECK_THROWS_WITH(run_of(text(40), 4, {}, true), Contains("must hold one window, 5 characters"));
  CHECK_THROWS_WITH(run_of("a", 4, {}, true), Contains("1 character is too few"));
  CHECK(run_of(text(59), 4, {}, true).source->describe() ==
        "a stream of 59 characters, the last 6 held out");  // rounded down what is trained on
}

TEST_CASE("a run is shown before its weights are drawn, with its data and its vocabulary") {
  int calls = 0;
  const Run run = prepare_run(model_of_block(16), {}, {}, Dtype::fp32, [&](const Run& shown) {
    ++calls;
    CHECK(shown.initial.empty());
    CHECK(shown.source != nullptr);
    CHECK(shown.model.vocab_size == shown.source->tokenizer().vocab_size());
  });
  CHECK(calls == 1);
  for (const NamedTensor& tensor : run.initial) CHECK(tensor.dtype() == Dtype::fp32);
}
