// GPT-2's own vocabulary, which is not part of the repository: LADDER_DATA names the folder that has it in gpt2/.
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>

#include "shared/data/bpe.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;

TEST_CASE("odd strings have the numbers that GPT-2's tokenizer gives them, and decode back") {
  const char* data = std::getenv("LADDER_DATA");
  const std::filesystem::path folder = std::filesystem::path(data == nullptr ? "" : data) / "gpt2";
  if (data == nullptr || !std::filesystem::is_directory(folder)) {
    std::puts("SKIPPED: GPT-2's vocabulary was not found: set LADDER_DATA to a folder that has it in gpt2/");
    return;
  }
  const BpeTokenizer tokenizer(read_bpe_vocabulary(folder));
  CHECK(tokenizer.vocab_size() == 50257);
  CHECK(tokenizer.start_token() == 50256);
  const Json golden = Json::parse(test::text_of(LADDER_SOURCE_DIR "/tests/golden/bpe_gpt2.json"));
  CHECK(golden.at("cases").size() == 89);
  for (const Json& one : golden.at("cases")) {
    const auto text = one.at("text").get<std::string>();
    CAPTURE(text);
    const std::vector<std::int32_t> ids = tokenizer.encode_bytes(text);
    CHECK(ids == one.at("ids").get<std::vector<std::int32_t>>());
    CHECK(tokenizer.decode(ids) == text);
  }
  CHECK(*tokenizer_from_json(tokenizer.to_json(), "file") == tokenizer);
}
