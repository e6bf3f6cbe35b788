#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/small_bpe.hpp"

namespace ladder::fuzz {
namespace {

void expect_round_trip(const BpeTokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode_bytes(text);
  for (const std::int32_t id : ids)
    expect(id >= 0 && id < tokenizer.vocab_size(), "a token beyond the vocabulary");
  expect(tokenizer.decode(ids) == text, "a text that does not decode to itself");
}

void read_vocabulary(std::string_view bytes) {
  const std::size_t first = bytes.find('\0'), second = bytes.find('\0', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return;
  const BpeTokenizer tokenizer(parse_bpe_vocabulary(
      bytes.substr(0, first), "vocab.json", bytes.substr(first + 1, second - first - 1), "merges.txt"));
  expect_round_trip(tokenizer, bytes.substr(second + 1));
  const Json json = Json::parse(tokenizer.to_json().dump());
  expect(*tokenizer_from_json(json, "saved") == tokenizer,
         "a vocabulary that is another one when it is read back");
}

void read(std::string_view bytes) {
  static const BpeTokenizer good(test::bpe_texts(test::some_merges()).parsed());
  if (bytes.starts_with('E'))
    expect_round_trip(good, bytes.substr(1));
  else
    may_refuse([&] { read_vocabulary(bytes); });
}

std::vector<std::string> seeds() {
  const auto whole = [](const test::BytePairs& merges, const std::string& text) {
    const test::BpeTexts texts = test::bpe_texts(merges);
    return texts.tokens + '\0' + texts.merges + '\0' + text;
  };
  return {"Ethe aa abab",
          "E  the\xC3\xA9\n\n it's 12\xE2\x80\x83\xFF\xC3 \xF0\x9F\x98\x80",
          "E" + std::string(200, 'a') + std::string(100, ' ') + "b",
          whole({}, "ab"),
          whole(test::some_merges(), "the ab"),
          whole({{"a", "b"}, {"ab", "ab"}}, std::string(100, 'a') + "abab"),
          std::string("{\"a\": 0}\0a b\0a", 14),
          std::string("{}\0\0", 4)};
}

}  // namespace

const Target bpe = {"bpe", read, seeds};

}  // namespace ladder::fuzz
