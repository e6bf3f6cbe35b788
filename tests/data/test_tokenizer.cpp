#include <catch2/catch.hpp>

#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/utf8.hpp"
#include "shared/data/tokenizer.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE("characters are numbered in order of code point, BOS follows") {
  const std::vector<std::u32string> texts = {U"ba", U"\u00E9z", U"\U0001F600a"};
  const CharacterTokenizer tokenizer = CharacterTokenizer::of(texts, true);
  CHECK(tokenizer.characters() == U"abz\u00E9\U0001F600");
  CHECK(tokenizer.vocab_size() == 6);
  CHECK(tokenizer.bos() == 5);
  CHECK(tokenizer.encode(U"za\U0001F600") == std::vector<std::int32_t>{2, 0, 4});
  CHECK(tokenizer.decode(std::vector<std::int32_t>{2, 0, 4, 3}) == "za\xF0\x9F\x98\x80\xC3\xA9");
}

TEST_CASE("a tokenizer without BOS has only its characters") {
  const std::vector<std::u32string> texts = {U"b\na"};
  const CharacterTokenizer tokenizer = CharacterTokenizer::of(texts, false);
  CHECK(tokenizer.vocab_size() == 3);
  CHECK(tokenizer.bos() == -1);
  CHECK(tokenizer.encode(U"\n") == std::vector<std::int32_t>{0});
}

TEST_CASE("one character is a vocabulary") {
  const std::vector<std::u32string> texts = {U"aaa"};
  CHECK(CharacterTokenizer::of(texts, true).vocab_size() == 2);
}

TEST_CASE("unknown characters and tokens are refused by name") {
  const CharacterTokenizer tokenizer(U"abc", true);
  CHECK_THROWS_WITH(tokenizer.encode(U"abx"), Contains("'x'") && Contains("U+0078") && Contains("abc"));
  CHECK_THROWS_AS(tokenizer.encode(U"\u00E9"), InputError);
  for (std::int32_t token : {-1, 4, 1000}) CHECK_THROWS_AS(tokenizer.decode(std::vector{token}), InputError);
  CHECK(tokenizer.decode(std::vector<std::int32_t>{3}) == "<BOS>");
}

TEST_CASE("an alphabet of 131,072 characters: a text is encoded in a time that grows with its length alone") {
  std::u32string all;
  for (char32_t c = 0x10000; c < 0x30000; ++c) all.push_back(c);
  const CharacterTokenizer tokenizer(all, true);
  const std::vector<std::int32_t> tokens = tokenizer.encode(all + all);
  REQUIRE(tokens.size() == 2 * all.size());
  CHECK(tokens[131071] == 131071);
  CHECK(tokenizer.decode(tokens) == encode_utf8(all + all));
  try {
    tokenizer.encode(U"x");
    FAIL("it was read");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).size() < 1000);
    CHECK_THAT(error.what(), Contains("131072 characters in all"));
  }
  const NumberTokenizer numbers(3);
  CHECK_THROWS_WITH(numbers.encode(all), Contains("131072 characters in all"));
}

TEST_CASE("characters out of order, repeated or missing make no tokenizer") {
  CHECK_THROWS_AS(CharacterTokenizer(U"ba", true), InputError);
  CHECK_THROWS_AS(CharacterTokenizer(U"aa", true), InputError);
  CHECK_THROWS_AS(CharacterTokenizer(U"", true), InputError);
}

TEST_CASE("a tokenizer that was saved reads back as the same one") {
  const CharacterTokenizer saved(U"\nab\u00E9", true);
  const auto back = tokenizer_from_json(Json::parse(saved.to_json().dump()), "file");
  CHECK(*back == saved);
  CHECK(back->encode(U"b\u00E9") == saved.encode(U"b\u00E9"));
  CHECK_FALSE(*back == CharacterTokenizer(U"\nab\u00E9", false));
  CHECK_FALSE(*back == CharacterTokenizer(U"\nabc", true));
}

TEST_CASE("JSON that describes no tokenizer is refused by the file's name") {
  for (const char* text : {R"({})", R"({"characters": "ab"})", R"({"characters": 5, "bos": true})",
                           R"({"characters": "ba", "bos": true})", R"({"characters": "", "bos": true})"})
    CHECK_THROWS_WITH(tokenizer_from_json(Json::parse(text), "file"), Contains("file"));
}

TEST_CASE("an alphabet's first and last characters are known, and their neighbours are not") {
  const CharacterTokenizer tokenizer(U"bdf", true);
  CHECK(tokenizer.encode(U"bf") == std::vector<std::int32_t>{0, 2});
  for (const char32_t* text : {U"a", U"c", U"e", U"g"}) CHECK_THROWS_AS(tokenizer.encode(text), InputError);
}

TEST_CASE("tokens that are only numbers are decoded from 0 to the last, and differ by how many there are") {
  const NumberTokenizer numbers(3);
  CHECK(numbers.decode(std::vector<std::int32_t>{0, 2}) == "0 2 ");
  for (const std::int32_t token : {-1, 3}) CHECK_THROWS_AS(numbers.decode(std::vector{token}), InputError);
  CHECK(NumberTokenizer(3) == numbers);
  CHECK_THROWS_AS(NumberTokenizer(0), InputError);
}
