// Token files of a byte-level vocabulary, files with a header, and files too large to be read before a run.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "shared/base/error.hpp"
#include "shared/data/bpe_files.hpp"
#include "shared/data/token_file.hpp"
#include "shared/data/token_files.hpp"
#include "shared/train/run.hpp"
#include "tests/support/small_bpe.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using Ids = std::vector<std::int32_t>;
namespace fs = std::filesystem;

namespace {

std::string raw(const Ids& numbers) {
  std::string bytes;
  for (int number : numbers) bytes += {static_cast<char>(number & 0xff), static_cast<char>(number >> 8)};
  return bytes;
}

std::string with_header(std::int32_t magic, std::int32_t version, std::int32_t count,
                        const std::string& tokens) {
  std::array<std::int32_t, 256> header = {magic, version, count};
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), header.data(), bytes.size());
  return bytes + tokens;
}

std::string with_header(const Ids& numbers) {
  return with_header(20240520, 1, static_cast<std::int32_t>(numbers.size()), raw(numbers));
}

Run run_on(const fs::path& path, int block_size = 2) {
  GptConfig model;
  model.n_embd = 4;
  model.block_size = block_size;
  TrainConfig train;
  train.steps = 10;
  return prepare_run(model, train, {path.string(), true});
}

std::string refusal(const fs::path& path) {
  try {
    run_on(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "not refused";
}

/// Zeros that take no place on the disk.
void make_sparse(const fs::path& path, std::size_t tokens) {
  test::write_text(path, "");
  fs::resize_file(path, 2 * tokens);
}

void set_token(const fs::path& path, std::size_t position, int token) {
  const int file = open(path.c_str(), O_WRONLY);
  const std::string bytes = raw({token});
  REQUIRE(pwrite(file, bytes.data(), 2, static_cast<off_t>(2 * position)) == 2);
  close(file);
}

TokenCounts prepare(const fs::path& folder, const std::string& text) {
  test::write_text(folder / "text", text);
  return write_token_files(folder, DividedText((folder / "text").string()),
                           BpeTokenizer(test::bpe_texts(test::some_merges()).parsed()));
}

}  // namespace

TEST_CASE("the characters are divided first, then each part is encoded") {
  const TemporaryFolder folder;
  // 10 characters, 12 bytes, CRLF as one character; "the" lies across the division and is two parts' tokens
  const TokenCounts counts = prepare(folder.path(),
                                     "a\r\n\xC3\xA9"
                                     "aaaa\xC3\xA9the");
  const BpeTokenizer tokenizer(test::bpe_texts(test::some_merges()).parsed());
  CHECK(test::text_of(folder / "train.bin") == raw(tokenizer.encode_bytes("a\n\xC3\xA9"
                                                                          "aaaa\xC3\xA9t")));
  CHECK(test::text_of(folder / "val.bin") == raw(tokenizer.encode_bytes("he")));
  CHECK(counts.training == fs::file_size(folder / "train.bin") / 2);
  CHECK(counts.held_out == 2);
  const Json meta = Json::parse(test::text_of(folder / "meta.json"));
  CHECK(meta.at("vocab_size") == tokenizer.vocab_size());
  CHECK(*tokenizer_from_json(meta, "meta") == tokenizer);
}

TEST_CASE("a run on such files has their tokenizer, from the folder alone") {
  const TemporaryFolder folder;
  prepare(folder.path(), "the aa the ab cab the aa b\n the aa");
  const Run run = run_on(folder.path());
  CHECK(run.model.vocab_size == run.source->tokenizer().vocab_size());
  CHECK(run.source->tokenizer() == BpeTokenizer(test::bpe_texts(test::some_merges()).parsed()));
  CHECK(run.source->notice().empty());
  std::string meta = test::text_of(folder / "meta.json");
  test::write_text(folder / "meta.json", meta.replace(meta.find("276"), 3, "275"));
  CHECK_THAT(refusal(folder.path()), Contains("meta.json") && Contains("276 tokens, vocab_size is 275"));
}

TEST_CASE("texts that cannot be divided are refused") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text) {
    test::write_text(folder / "text", text);
    try {
      DividedText((folder / "text").string());
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  CHECK_THAT(refused(""), Contains("the file is empty"));
  CHECK_THAT(refused("x"), Contains("one character"));
  CHECK_THAT(refused("\r\n"), Contains("one character"));
  CHECK_THAT(refused("ab\nc\xFF"), Contains("line 2 is not UTF-8"));
  BpeVocabulary large = test::bpe_texts({}).parsed();
  while (large.tokens.size() <= 0x10000)
    large.tokens.push_back("token " + std::to_string(large.tokens.size()));
  CHECK_THROWS_WITH(require_token_files(BpeTokenizer(large), "DIR"), Contains("DIR: has 65537 tokens"));
  large.tokens.pop_back();
  CHECK_NOTHROW(require_token_files(BpeTokenizer(large), "DIR"));
}

TEST_CASE("a file with a header has the tokens behind it, and GPT-2's vocabulary") {
  const TemporaryFolder folder;
  test::write_text(folder / "a.bin", with_header({7, 50256, 3}));
  test::write_text(folder / "val.bin", raw({1, 2, 3, 4}));  // each file says its form itself
  const TokenFile file = map_token_file(folder / "a.bin");
  CHECK(file.has_header);
  CHECK(file.tokens.copy() == Ids{7, 50256, 3});
  const Run run = run_on(folder / "a.bin");
  CHECK(run.model.vocab_size == 50257);
  CHECK(run.source->sequence(0, 0).tokens == Ids{7, 50256});
  test::write_text(folder / "b.bin", raw({7, 50256, 3}));
  CHECK(run.source->data_hash() == run_on(folder / "b.bin").source->data_hash());
  test::write_text(folder / "a.bin", with_header({7, 50257, 3}));
  CHECK_THAT(refusal(folder / "a.bin"), Contains("token 50257 at position 1") && Contains("0 to 50256"));
}

TEST_CASE("a header that does not tell the truth is refused") {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.bin";
  const std::string tokens = raw({1, 2, 3, 4});
  const auto refused = [&](const std::string& bytes) {
    test::write_text(path, bytes);
    return refusal(path);
  };
  CHECK_THAT(refused(with_header(20240520, 1, 5, tokens)),
             Contains("a.bin") && Contains("announces 5 tokens"));
  CHECK_THAT(refused(with_header(20240520, 1, 3, tokens)),
             Contains("announces 3 tokens") && Contains("8 bytes"));
  CHECK_THAT(refused(with_header(20240520, 1, 4, tokens + "x")), Contains("9 bytes"));
  CHECK_THAT(refused(with_header(20240520, 1, -4, tokens)), Contains("announces -4"));
  CHECK_THAT(refused(with_header(20240520, 2, 4, tokens)), Contains("version 2"));
  CHECK_THAT(refused(with_header(20240520, 1, 0, "")), Contains("no tokens"));
  CHECK_THAT(refused(""), Contains("a.bin: the file is empty"));
  CHECK_THAT(refused(with_header(20240520, 1, 4, tokens).substr(0, 1000)),
             Contains("1000 bytes are too few"));
}

TEST_CASE("a large file is not read before the run: a token beyond the vocabulary shows in its window") {
  const TemporaryFolder folder;
  const fs::path path = folder / "train.bin";
  const std::size_t size = kReadWhole + 10000;
  make_sparse(path, size);
  test::write_text(folder / "meta.json", R"({"vocab_size": 2, "itos": {"0": "a", "1": "b"}})");
  for (std::size_t i = 0; i < 40000; ++i) set_token(path, size / 2 + i, 3);
  const Run run = run_on(folder.path(), 64);
  CHECK_THAT(run.source->describe(), Contains(std::to_string(size)));
  int refused = 0, drawn = 0;
  for (int step = 0; step < 2000; ++step) {
    try {
      drawn += run.source->sequence(step, 0).tokens.size() == 64 ? 1 : 0;
    } catch (const InputError& error) {
      ++refused;
      CHECK_THAT(error.what(), Contains(folder.path().string()) && Contains("token 3 at position") &&
                                   Contains("trained on") && Contains("0 to 1"));
    }
  }
  CHECK(refused > 0);
  CHECK(drawn > 1900);
}

TEST_CASE("a large file's hash is of its size and of stretches that reach both ends") {
  const TemporaryFolder folder;
  const std::size_t size = kReadWhole + 3;
  const auto hash_with = [&](std::size_t tokens, std::size_t position) {
    make_sparse(folder / "a.bin", tokens);
    if (position < tokens) set_token(folder / "a.bin", position, 1);
    return read_token_files((folder / "a.bin").string()).hash;
  };
  const std::uint64_t zeros = hash_with(size, size);
  CHECK(hash_with(size, 0) != zeros);
  CHECK(hash_with(size, size - 1) != zeros);
  CHECK(hash_with(size + 1, size + 1) != zeros);
  CHECK(hash_with(size, 5000) == zeros);  // between two stretches
  const Run run = run_on(folder / "a.bin");
  CHECK(run.model.vocab_size == 50257);
  CHECK_THAT(run.source->notice(), Contains("taken to be 50257"));
}

TEST_CASE("a text and its files have one hash, whatever their size") {
  const TemporaryFolder folder;
  std::u32string text;
  for (std::size_t i = 0; i < kReadWhole + 77; ++i) text.push_back(static_cast<char32_t>('a' + i * i % 23));
  const TokenStream stream = stream_of_text(text, "text");
  write_token_files(folder.path(), stream);
  CHECK(read_token_files(folder.path().string()).hash == stream.hash);
}
