// A vocabulary's files: what is read, and what is refused, by the file's name and the place in it.
#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "tests/support/small_bpe.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

const test::BpeTexts kGood = test::bpe_texts({{"a", "b"}, {"ab", "c"}});

void refused(const std::string& tokens, const std::string& merges, std::initializer_list<const char*> parts) {
  try {
    parse_bpe_vocabulary(tokens, "v.json", merges, "m.txt");
    FAIL("not refused: " << *parts.begin());
  } catch (const InputError& error) {
    for (const char* part : parts) CHECK_THAT(error.what(), Contains(part));
    CHECK_THAT(error.what(), !Contains("\n"));
  }
}

/// kGood's tokens with one change.
std::string tokens_with(const std::string& old, const std::string& replacement) {
  std::string tokens = kGood.tokens;
  const std::size_t at = tokens.find(old);
  REQUIRE(at != std::string::npos);
  return tokens.replace(at, old.size(), replacement);
}

std::string refusal_of_folder(const std::filesystem::path& folder) {
  try {
    read_bpe_vocabulary(folder);
  } catch (const InputError& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace

TEST_CASE("tokens are bytes by number, merges name them by number") {
  const BpeVocabulary vocabulary = kGood.parsed();
  REQUIRE(vocabulary.tokens.size() == 259);
  CHECK(vocabulary.tokens[' '] == " ");
  CHECK(vocabulary.tokens[0xFF] == "\xFF");
  CHECK(vocabulary.tokens[257] == "abc");
  REQUIRE(vocabulary.merges.size() == 2);
  CHECK(vocabulary.merges[1].left == 256);
  CHECK(vocabulary.merges[1].right == 'c');
  CHECK(vocabulary.merges[1].whole == 257);
}

TEST_CASE("merges may lack the version, the last line's end, and have Windows' line ends") {
  for (const char* merges :
       {"a b\nab c\n", "a b\nab c", "#version: 0.2\r\na b\r\nab c\r\n", "#version: 0.2\na b\nab c\n"})
    CHECK(parse_bpe_vocabulary(kGood.tokens, "v", merges, "m").merges.size() == 2);
  CHECK(parse_bpe_vocabulary(test::bpe_texts({}).tokens, "v", "", "m").merges.empty());
  const test::BpeTexts hashes = test::bpe_texts({{"#", "#"}});  // a merge, not a comment
  CHECK(parse_bpe_vocabulary(hashes.tokens, "v", "# #\n", "m").merges.size() == 1);
}

TEST_CASE("tokens that are no vocabulary are refused") {
  refused("", "", {"v.json", "not a JSON object"});
  refused("[]", "", {"v.json", "not a JSON object"});
  refused(kGood.tokens.substr(0, kGood.tokens.size() / 2), "", {"v.json", "not a JSON object"});
  refused("{\"\xFF\": 0}", "", {"v.json", "not a JSON object"});
  refused("{}", "", {"v.json", "no token is the byte 0x00"});
  refused(tokens_with("\"abc\":257", "\"abc\":256"), "", {"v.json", "'ab'", "'abc'", "both", "256"});
  refused(tokens_with("\"abc\":257", "\"abc\":300"), "", {"v.json", "'abc'", "300", "0 to 258"});
  refused(tokens_with("\"abc\":257", "\"abc\":-1"), "", {"v.json", "'abc'", "-1"});
  refused(tokens_with("\"abc\":257", "\"abc\":\"257\""), "", {"v.json", "'abc'", "\"257\""});
  refused(tokens_with("\"abc\":257", "\"ab\":257"), "", {"v.json", "'ab'", "twice"});
  refused(tokens_with("\"abc\":257", "\"\":257"), "", {"v.json", "empty"});
  refused(tokens_with("\"abc\":257", "\"a c\":257"), "", {"v.json", "U+0020", "'a c'", "no byte"});
  refused(tokens_with("\"abc\":257", "\"\xE6\x97\xA5\":257"), "", {"v.json", "U+65E5", "no byte"});
  refused(tokens_with("\"b\":98", "\"bb\":98"), "", {"v.json", "no token is the byte 0x62", "'b'"});
}

TEST_CASE("a token of several bytes that no merge makes is named: the merges are cut short") {
  refused(kGood.tokens, "", {"m.txt: ", "no merge makes the token 'ab', number 256 in v.json"});
  refused(kGood.tokens, "#version: 0.2\na b\n", {"m.txt: ", "'abc', number 257 in v.json"});
  refused(tokens_with("<|endoftext|>", "endoftext"), "a b\nab c\n", {"m.txt: ", "'endoftext'"});
  const std::string special = tokens_with("<|endoftext|>", "<pad>");  // put into a text as it is
  CHECK(parse_bpe_vocabulary(special, "v", "a b\nab c\n", "m").merges.size() == 2);
}

TEST_CASE("merges that are none are refused by their line") {
  refused(kGood.tokens, "a b\nab\n", {"m.txt: line 2", "'ab' is no merge"});
  refused(kGood.tokens, "a b c\n", {"m.txt: line 1", "'a b c' is no merge"});
  refused(kGood.tokens, "a b\n\nab c\n", {"m.txt: line 2", "'' is no merge"});
  refused(kGood.tokens, "a  b\n", {"m.txt: line 1", "no merge"});
  refused(kGood.tokens, " b\n", {"m.txt: line 1", "empty"});
  refused(kGood.tokens, "b a\n", {"m.txt: line 1", "'ba'", "'b a'", "not in the vocabulary"});
  refused(kGood.tokens, "#version: 1\nxy a\n", {"m.txt: line 2", "'xy'", "not in the vocabulary"});
  refused(kGood.tokens, "a b\nab c\na b\n", {"m.txt: line 3", "'a b'", "second time"});
  refused(kGood.tokens, "a \xFF\n", {"m.txt: line 1 is not UTF-8"});
  refused(kGood.tokens, "#version: 1\na b\nab \xFF\n", {"m.txt: line 3 is not UTF-8"});
}

TEST_CASE("the two files go by either pair of names, and both must be there") {
  const TemporaryFolder folder;
  CHECK_THAT(refusal_of_folder(folder / "none"), Contains("none") && Contains("no folder"));
  CHECK_THAT(refusal_of_folder(folder.path()),
             Contains("no vocabulary") && Contains("encoder.json with vocab.bpe"));
  test::write_text(folder / "merges.txt", kGood.merges);
  CHECK_THAT(refusal_of_folder(folder.path()), Contains("holds merges.txt, but no vocab.json"));
  std::filesystem::remove(folder / "merges.txt");
  test::write_text(folder / "encoder.json", kGood.tokens);
  CHECK_THAT(refusal_of_folder(folder.path()), Contains("holds encoder.json, but no vocab.bpe"));
  test::write_text(folder / "vocab.bpe", "a b\n");
  CHECK_THAT(refusal_of_folder(folder.path()), Contains("vocab.bpe: no merge makes") && Contains("'abc'"));
  test::write_text(folder / "vocab.bpe", "a b\nab c\n");
  CHECK(read_bpe_vocabulary(folder.path()).merges.size() == 2);
  kGood.write(folder.path());
  CHECK(read_bpe_vocabulary(folder.path()).merges.size() == 2);
  test::write_text(folder / "vocab.json", "");
  CHECK_THAT(refusal_of_folder(folder.path()), Contains("vocab.json") && Contains("not a JSON object"));
}

TEST_CASE("a saved vocabulary that is none is refused by the file's name") {
  const Json good = to_json(kGood.parsed());
  CHECK(bpe_vocabulary_from_json(good, "file").merges.size() == 2);
  const auto spoiled = [&](const char* member, Json value) {
    Json json = good;
    json[member] = std::move(value);
    return json;
  };
  const Json no_text = Json::array({1, 2}), no_bytes = Json::array({"a"}), no_merge = Json::array({"a"});
  Json twice = good["tokens"];
  twice.push_back("a");
  for (const Json& json : {spoiled("tokens", 1), spoiled("tokens", no_text), spoiled("tokens", no_bytes),
                           spoiled("tokens", twice), spoiled("merges", "a b"), spoiled("merges", no_merge)})
    CHECK_THROWS_WITH(tokenizer_from_json(json, "file"), Contains("file: "));
}
