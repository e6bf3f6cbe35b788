// Byte-level BPE on a vocabulary made here; test_bpe_gpt2.cpp has the real one.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"
#include "shared/data/gpt2_pattern.hpp"
#include "tests/support/small_bpe.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using Ids = std::vector<std::int32_t>;
using Pieces = std::vector<std::string>;

namespace {

BpeTokenizer tokenizer_of(const test::BytePairs& merges) {
  return BpeTokenizer(test::bpe_texts(merges).parsed());
}

Pieces pieces_of(std::string_view bytes) {
  Pieces pieces;
  Gpt2Pattern().for_each_piece(bytes, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

/// The definition: as long as some pair is listed, the first of those that are listed earliest becomes one.
Ids merged(const std::string& piece, const test::BytePairs& merges) {
  Pieces parts;
  for (const char byte : piece) parts.emplace_back(1, byte);
  for (bool found = true; found;) {
    found = false;
    for (std::size_t rank = 0; rank < merges.size() && !found; ++rank)
      for (std::size_t i = 0; i + 1 < parts.size() && !found; ++i)
        if (parts[i] == merges[rank].first && parts[i + 1] == merges[rank].second) {
          parts[i] += parts[i + 1];
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
          found = true;
        }
  }
  std::map<std::string, std::int32_t> numbers;
  for (std::size_t rank = 0; rank < merges.size(); ++rank)
    numbers[merges[rank].first + merges[rank].second] = static_cast<std::int32_t>(256 + rank);
  Ids ids;
  for (const std::string& part : parts)
    ids.push_back(part.size() == 1 ? static_cast<unsigned char>(part[0]) : numbers.at(part));
  return ids;
}

/// Bytes of which most are those that merge.
std::string random_bytes(Random& random, std::size_t size) {
  constexpr std::string_view often = "aaaabbcthe  \n12!\xC3\xA9\xC3";
  std::string bytes;
  while (bytes.size() < size) {
    const double draw = random.random();
    bytes.push_back(draw < 0.9
                        ? often[static_cast<std::size_t>(draw / 0.9 * static_cast<double>(often.size()))]
                        : static_cast<char>(static_cast<int>((draw - 0.9) * 2559)));
  }
  return bytes;
}

}  // namespace

TEST_CASE("pairs merge in the order of the list, and what a merge made merges on") {
  CHECK(tokenizer_of({{"b", "c"}, {"a", "b"}}).encode_bytes("abc") == Ids{'a', 256});
  CHECK(tokenizer_of({{"a", "b"}, {"b", "c"}}).encode_bytes("abc") == Ids{256, 'c'});
  CHECK(tokenizer_of({{"a", "a"}}).encode_bytes("aaa") == Ids{256, 'a'});  // of equals the first
  const BpeTokenizer the = tokenizer_of({{"t", "h"}, {"th", "e"}, {" ", "the"}});
  CHECK(the.encode(U"the the th") == Ids{257, 258, ' ', 256});
  CHECK(the.encode_bytes("").empty());
}

TEST_CASE("a text is cut as GPT-2's pattern says") {
  CHECK(pieces_of("Hello, world!") == Pieces{"Hello", ",", " world", "!"});
  CHECK(pieces_of("don't we'll I'D") == Pieces{"don", "'t", " we", "'ll", " I", "'", "D"});
  CHECK(pieces_of("  two\n\n end  ") == Pieces{" ", " two", "\n\n", " end", "  "});
  CHECK(pieces_of("a1b22 33") == Pieces{"a", "1", "b", "22", " 33"});
  CHECK(pieces_of("<|endoftext|>") == Pieces{"<|", "endoftext", "|>"});
  CHECK(pieces_of("\xC3\xA9t\xC3\xA9 \xE6\x97\xA5") == Pieces{"\xC3\xA9t\xC3\xA9", " \xE6\x97\xA5"});
  CHECK(pieces_of(std::string("a\0b", 3)) == Pieces{"a", std::string(1, '\0'), "b"});
}

TEST_CASE("white space is what Unicode calls so") {
  for (const char* white : {"\xC2\x85", "\xC2\xA0", "\xE2\x80\xA8", "\xE3\x80\x80", "\t", "\x0B", "\x0C"})
    CHECK(pieces_of(std::string(white) + white + "x") == Pieces{white, white, "x"});
  // neither the Mongolian vowel separator, nor a zero-width space, nor the separators of ASCII
  for (const char* sign : {"\xE1\xA0\x8E", "\xE2\x80\x8B", "\x1C"})
    CHECK(pieces_of(std::string(sign) + sign + "x") == Pieces{std::string(sign) + sign, "x"});
}

TEST_CASE("bytes that are not UTF-8 are pieces of their own between the texts around them") {
  CHECK(pieces_of("ab\xFF\xC3 cd") == Pieces{"ab", "\xFF\xC3", " cd"});
  CHECK(pieces_of("a \xE6\x97") == Pieces{"a", " ", "\xE6\x97"});
  CHECK(pieces_of("\x80") == Pieces{"\x80"});
}

TEST_CASE("any bytes decode to themselves, and encode as the definition says") {
  const test::BytePairs merges = test::some_merges();
  const BpeTokenizer tokenizer = tokenizer_of(merges);
  Random random(7);
  for (std::size_t size = 0; size < 700; size += 1 + size / 40) {
    const std::string bytes = random_bytes(random, size);
    const Ids ids = tokenizer.encode_bytes(bytes);
    REQUIRE(tokenizer.decode(ids) == bytes);
    Ids want;
    for (const std::string& piece : pieces_of(bytes)) {
      const Ids part = merged(piece, merges);
      want.insert(want.end(), part.begin(), part.end());
    }
    REQUIRE(ids == want);
  }
}

TEST_CASE("a piece too long for looking at every pair merges in the same order") {
  const test::BytePairs merges = test::some_merges();
  const MergeTable table(test::bpe_texts(merges).parsed());
  Random random(11);
  for (std::size_t size = 40; size < 300; size += 7) {
    const std::string piece = random_bytes(random, size);
    Ids ids;
    table.append_tokens(piece, ids);
    REQUIRE(ids == merged(piece, merges));
  }
}

TEST_CASE("a million equal letters or blanks are no trap") {
  const BpeTokenizer tokenizer = tokenizer_of(test::some_merges());
  CHECK(tokenizer.encode_bytes(std::string(1000000, 'a')) == Ids(250000, 256 + 6));
  const Ids blanks = tokenizer.encode_bytes(std::string(1000000, ' ') + "x");
  CHECK(blanks.size() == 499999 + 3);  // pairs, the one that is left, the blank before x, x
  CHECK(tokenizer.decode(blanks).size() == 1000001);
}

TEST_CASE("more pieces than are kept encode as each does alone") {
  const BpeTokenizer tokenizer = tokenizer_of(test::some_merges());
  std::string text;
  Ids want;
  for (int i = 0; i < 90000; ++i) {
    std::string word = " ";
    for (int rest = i; rest > 0; rest /= 26) word.push_back(static_cast<char>('a' + rest % 26));
    text += word;
    const Ids alone = tokenizer.encode_bytes(word);
    want.insert(want.end(), alone.begin(), alone.end());
  }
  CHECK((tokenizer.encode_bytes(text) == want));
}

TEST_CASE("what is kept of pieces begins anew as often as it is full") {
  const BpeTokenizer tokenizer = tokenizer_of(test::some_merges());
  std::string text;
  for (int i = 0; i < 300000; ++i) {  // some five times as many as are kept
    text += ' ';
    for (int rest = i; rest > 0; rest /= 26) text.push_back(static_cast<char>('a' + rest % 26));
  }
  CHECK((tokenizer.decode(tokenizer.encode_bytes(text)) == text));
}

TEST_CASE("no text becomes the end of a text") {
  const BpeTokenizer tokenizer = tokenizer_of(test::some_merges());
  const std::int32_t end = tokenizer.vocab_size() - 1;
  CHECK(tokenizer.end() == end);
  CHECK(tokenizer.start_token() == end);
  CHECK_FALSE(tokenizer.has_bos());
  const Ids ids = tokenizer.encode_bytes("a<|endoftext|>b");
  CHECK(std::count(ids.begin(), ids.end(), end) == 0);
  CHECK(tokenizer.decode(ids) == "a<|endoftext|>b");
  CHECK(tokenizer.decode(Ids{end}) == "<|endoftext|>");
  CHECK_THROWS_WITH(tokenizer.decode(Ids{end + 1}), Contains("not in the vocabulary"));
  CHECK_THROWS_AS(tokenizer.decode(Ids{-1}), InputError);
}

TEST_CASE("a vocabulary without an end of text starts with a line break and never stops") {
  BpeVocabulary vocabulary = test::bpe_texts({}).parsed();
  vocabulary.tokens.pop_back();
  const BpeTokenizer tokenizer{std::move(vocabulary)};
  CHECK(tokenizer.end() == -1);
  CHECK(tokenizer.start_token() == '\n');
}

TEST_CASE("a tokenizer of bytes that was saved reads back as the same one") {
  const BpeTokenizer saved = tokenizer_of(test::some_merges());
  const Json json = Json::parse(saved.to_json().dump());
  const auto back = tokenizer_from_json(json, "file");
  CHECK(*back == saved);
  CHECK(back->encode(U"the ab\u00E9 aa") == saved.encode(U"the ab\u00E9 aa"));
  test::BytePairs turned = test::some_merges();
  std::swap(turned[0], turned[3]);
  CHECK_FALSE(tokenizer_of(turned) == saved);
  CHECK_FALSE(CharacterTokenizer(U"ab", true) == saved);
}
