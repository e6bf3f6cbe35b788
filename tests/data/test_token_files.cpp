// Token files: what prepare writes, what nanoGPT wrote, and what is neither.
#include <catch2/catch.hpp>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/hash.hpp"
#include "shared/data/text.hpp"
#include "shared/data/token_files.hpp"
#include "shared/train/run.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using Ids = std::vector<std::int32_t>;
namespace fs = std::filesystem;

namespace {

const std::string kAbc = R"({"vocab_size": 3, "itos": {"0": "a", "1": "b", "2": "c"}})";

std::string tokens(std::initializer_list<int> numbers) {
  std::string bytes;
  for (int number : numbers) bytes += {static_cast<char>(number & 0xff), static_cast<char>(number >> 8)};
  return bytes;
}

std::string text_of_letters(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += i % 31 == 30 ? '\n' : static_cast<char>('a' + i * i % 23);
  return text;
}

/// What prepare makes of a text: three files in `folder`.
void prepare(const fs::path& folder, const std::string& text) {
  write_token_files(folder, stream_of_text(decode_utf8(text, "text"), "text"));
}

Run run_on(const fs::path& path, int block_size = 8) {
  GptConfig model;
  model.block_size = block_size;
  TrainConfig train;
  train.batch_size = 3;
  train.steps = 10;
  return prepare_run(model, train, {path.string(), true});
}

/// Files of this content are refused with a message that contains all of `parts`; "" leaves a file away.
void refused(const std::string& train, const std::string& held_out, const std::string& meta,
             std::initializer_list<const char*> parts) {
  const TemporaryFolder folder;
  if (!train.empty()) test::write_text(folder / "train.bin", train);
  if (!held_out.empty()) test::write_text(folder / "val.bin", held_out);
  if (!meta.empty()) test::write_text(folder / "meta.json", meta);
  try {
    run_on(folder.path(), 2);
    FAIL("not refused");
  } catch (const InputError& error) {
    for (const char* part : parts) CHECK_THAT(error.what(), Contains(part));
  }
}

}  // namespace

TEST_CASE("prepared files are byte for byte what nanoGPT's character preparation writes") {
  const TemporaryFolder folder;
  prepare(folder.path(), "banana\nca\xC3\xA9");  // 10 characters: \n a b c n and e with an accent
  CHECK(test::text_of(folder / "train.bin") == tokens({2, 1, 4, 1, 4, 1, 0, 3, 1}));
  CHECK(test::text_of(folder / "val.bin") == tokens({5}));
  const Json meta = Json::parse(test::text_of(folder / "meta.json"));
  CHECK(meta.at("vocab_size") == 6);
  CHECK(meta.at("itos").at("5") == "\xC3\xA9");
  CHECK(meta.at("stoi").at("\n") == 0);
  CHECK(meta.at("stoi").size() == 6);
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 3);
}

TEST_CASE("a run on prepared files is the run on their text") {
  const TemporaryFolder folder;
  const std::string text = text_of_letters(50000);  // more than one write of tokens
  test::write_text(folder / "text", text);
  fs::create_directory(folder / "files");
  prepare(folder / "files", text);
  const Run of_text = run_on(folder / "text");
  for (const char* path : {"files", "files/", "files/train.bin"}) {
    const Run of_files = run_on(folder / path);
    CHECK(of_files.model == of_text.model);
    CHECK(of_files.source->tokenizer() == of_text.source->tokenizer());
    CHECK(of_files.source->data_hash() == of_text.source->data_hash());
    CHECK(of_files.source->token_hash() == of_text.source->token_hash());
    CHECK(of_files.source->evaluation_sequence(DataPart::held_out, 7).tokens ==
          of_text.source->evaluation_sequence(DataPart::held_out, 7).tokens);
    CHECK(of_files.source->sequence(5, 2).targets == of_text.source->sequence(5, 2).targets);
    CHECK(of_files.source->notice().empty());
    CHECK_THAT(of_files.source->describe(), Contains("50000 tokens") && Contains("5000 held out"));
  }
}

TEST_CASE("without val.bin nothing is held out") {
  const TemporaryFolder folder;
  test::write_text(folder / "train.bin", tokens({0, 1, 2, 0}));
  test::write_text(folder / "meta.json", kAbc);
  const Run run = run_on(folder.path(), 3);
  CHECK(run.source->held_out_sequences() == 0);
  CHECK(run.source->sequence(0, 0).targets == Ids{1, 2, 0});
  CHECK_THAT(run.source->describe(), Contains("4 tokens") && Contains("no val.bin"));
}

TEST_CASE("without meta.json the tokens have no text, and the run says so") {
  const TemporaryFolder folder;
  test::write_text(folder / "words.bin", tokens({7, 50256, 3, 9}));  // any name: val.bin lies beside it
  test::write_text(folder / "val.bin", tokens({1, 2, 3}));
  const Run run = run_on(folder / "words.bin", 2);
  CHECK(run.model.vocab_size == 50257);
  CHECK(run.source->held_out_sequences() > 0);
  CHECK_THAT(run.source->notice(), Contains("meta.json") && Contains("no text"));
  const Tokenizer& tokenizer = run.source->tokenizer();
  CHECK(tokenizer.decode(Ids{12, 5}) == "12 5 ");
  CHECK_FALSE(tokenizer.has_bos());
  CHECK(tokenizer.encode(U"").empty());
  CHECK_THROWS_WITH(tokenizer.encode(U"ab"), Contains("no text") && Contains("'ab'"));
  CHECK_THROWS_AS(tokenizer.decode(Ids{50257}), InputError);
  CHECK(*tokenizer_from_json(tokenizer.to_json(), "file") == tokenizer);
  CHECK_FALSE(NumberTokenizer(3) == tokenizer);
  CHECK_THROWS_WITH(tokenizer_from_json(Json::parse(R"({"numbers": 0})"), "file"), Contains("file"));
}

TEST_CASE("token files that are none are refused by the file's name") {
  const std::string good = tokens({0, 1, 2, 0});
  refused("", good, kAbc, {"holds no train.bin", "ladder prepare"});
  refused(good + "x", good, kAbc, {"train.bin: 9 bytes", "two bytes a token"});
  refused(good, good + "x", kAbc, {"val.bin: 9 bytes"});
  refused(tokens({0, 1, 3, 3}), good, kAbc, {"train.bin", "token 3 at position 2", "0 to 2"});
  refused(good, tokens({0, 0, 0, 65535}), kAbc, {"val.bin", "token 65535 at position 3"});
  refused(tokens({0, 1}), good, kAbc, {"2 tokens are too few", "--block-size 2", "3 tokens"});
  refused(good, tokens({0, 1}), kAbc, {"val.bin: 2 tokens are too few"});
}

TEST_CASE("a meta.json that does not name a character for each token is refused") {
  const std::string good = tokens({0, 1, 2, 0});
  refused(good, good, "{", {"meta.json: is not a JSON object"});
  refused(good, good, "{}", {"meta.json", "vocab_size"});
  refused(good, good, R"({"vocab_size": 3})", {"meta.json", "itos"});
  refused(good, good, R"({"vocab_size": 3, "itos": ["a", "b", "c"]})", {"meta.json", "itos"});
  refused(good, good, R"({"vocab_size": 4, "itos": {"0": "a"}})", {"meta.json", "names 1 character,"});
  refused(good, good, R"({"vocab_size": 0, "itos": {}})", {"meta.json", "vocab_size is 0"});
  refused(good, good, R"({"vocab_size": 65537, "itos": {}})", {"meta.json", "65537"});
  refused(good, good, R"({"vocab_size": 2, "itos": {"0": "a", "2": "b"}})", {"meta.json", "'2'"});
  refused(good, good, R"({"vocab_size": 2, "itos": {"0": "a", "1x": "b"}})", {"meta.json", "'1x'"});
  refused(good, good, R"({"vocab_size": 2, "itos": {"0": "a", "1": 5}})", {"meta.json", "'1'"});
  refused(good, good, R"({"vocab_size": 2, "itos": {"0": "a", "1": "bc"}})", {"meta.json", "one character"});
  refused(good, good, R"({"vocab_size": 2, "itos": {"0": "b", "1": "a"}})", {"meta.json", "order"});
  refused(good, good, R"({"vocab_size": 2, "itos": {"0": "a", "1": "a"}})", {"meta.json", "order"});
}

TEST_CASE("what is held out is not trained on, and documents are no tokens") {
  const TemporaryFolder folder;
  prepare(folder.path(), text_of_letters(400));
  CHECK_THROWS_WITH(run_on(folder / "val.bin"), Contains("val.bin") && Contains("held out"));
  CHECK_THROWS_WITH(run_on(folder / "none.bin"), Contains("none.bin") && Contains("No such file"));
  for (const fs::path& path : {folder.path(), folder / "train.bin"})
    CHECK_THROWS_WITH(prepare_run({}, {}, {path.string(), false}), Contains("--preset small"));
}

TEST_CASE("only characters can be written as token files, and no more than two bytes number") {
  TokenStream stream = stream_of_text(U"abcabc", "text");
  stream.tokenizer = std::make_shared<NumberTokenizer>(3);
  CHECK_THROWS_WITH(require_token_files(stream), Contains("no characters"));
  std::u32string many;
  for (char32_t c = 0; c < 0x10001 + 0x800; ++c)
    if (c < 0xd800 || c > 0xdfff) many.push_back(c);
  CHECK_THROWS_WITH(require_token_files(stream_of_text(many, "book")), Contains("book: has 65537"));
  many.pop_back();
  CHECK_NOTHROW(require_token_files(stream_of_text(many, "book")));
}

TEST_CASE("the windows of a stream are those that every earlier version drew") {
  GptConfig model;
  TrainConfig train;
  train.batch_size = 2;
  const Run run = prepare_run(model, train, {"", true});
  CHECK(hex64(run.source->token_hash()) == "556255c8dc98bd45");
}
