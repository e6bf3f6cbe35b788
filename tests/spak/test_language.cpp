// Reading system files: nothing is lost, everything has its kind, and what is wrong is named with its place.
#include <catch2/catch.hpp>

#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/spak/language/syntax.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using namespace ladder::spak;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kCorpus = fs::path(LADDER_SOURCE_DIR) / "tests/spak/corpus";

Document document(const std::string& text) { return Document::parse(text, "file.spak"); }

Json inside(const std::string& body) {
  const Document file = document("system S { " + body + " }");
  return json_of(file, file.system().children[1]);
}

std::string complaint(const std::string& text) {
  try {
    document(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

/// What lies between the leaves of a tree: everything that no node holds.
void collect_gaps(const Document& file, const Node& node, std::string& gaps) {
  std::size_t done = node.begin;
  for (const Node& child : node.children) {
    REQUIRE(child.begin >= done);
    REQUIRE(child.end >= child.begin);
    gaps.append(file.text(), done, child.begin - done);
    collect_gaps(file, child, gaps);
    done = child.end;
  }
  REQUIRE(node.end >= done);
  if (!node.children.empty()) gaps.append(file.text(), done, node.end - done);
}

std::string without_comments(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comment = std::min(text.find("//", at), text.size());
    out.append(text, at, comment - at);
    at = std::min(text.find('\n', comment), text.size());
  }
  return out;
}

}  // namespace

TEST_CASE(
    "every file of the corpus is written as it was read, and its words and values are all in the tree") {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(kCorpus)) {
    CAPTURE(entry.path().filename());
    const Document file = Document::read(entry.path());
    CHECK(file.text() == test::text_of(entry.path()));
    CHECK(file.written() == file.text());
    std::string gaps = file.text().substr(0, file.root().begin);
    collect_gaps(file, file.root(), gaps);
    gaps += file.text().substr(file.root().end);
    // Keywords of the frame, separators, brackets, && and ||; nothing that says anything.
    std::string rest = without_comments(gaps);
    for (const std::string word :
         {"\xef\xbb\xbf", "---", "# a comment of the front matter", "system", "return"})
      for (std::size_t at; (at = rest.find(word)) != std::string::npos;) rest.erase(at, word.size());
    const std::string_view frame = " \t\r\n,;:{}[]()&|";
    std::erase_if(rest, [&](char c) { return frame.find(c) != std::string_view::npos; });
    CHECK(rest == "");
    ++files;
  }
  CHECK(files >= 4);
}

TEST_CASE("a byte order mark and the ends of lines of Windows are read and written as they were") {
  std::string text = "\xef\xbb\xbf";
  for (const char c : test::text_of(kCorpus / "everything.spak"))
    text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const Document file = document(text);
  CHECK(file.written() == text);
  const Document plain = Document::read(kCorpus / "everything.spak");
  CHECK(json_of(file, file.system().children[1]) == json_of(plain, plain.system().children[1]));
}

TEST_CASE("values keep their kind") {
  CHECK(inside("a: 1, b: -2.5 c: 1e-4; d: .5") == Json{{"a", 1}, {"b", -2.5}, {"c", 1e-4}, {"d", 0.5}});
  CHECK(inside("a: true b: false c: word d: a.b.c") ==
        Json{{"a", true}, {"b", false}, {"c", "word"}, {"d", "a.b.c"}});
  CHECK(inside("a: 2026-02-13 b: 5.2ms c: 1.2.3 d: 64x64") ==
        Json{{"a", "2026-02-13"}, {"b", "5.2ms"}, {"c", "1.2.3"}, {"d", "64x64"}});
  CHECK(inside("a: [] b: [1, [2, x]] c: {} d: { e: { f: 1 } }").dump() ==
        R"({"a":[],"b":[1,[2,"x"]],"c":{},"d":{"e":{"f":1}}})");
  CHECK(inside("a: file(\"x) y\") b: f(g(1)) c: T[1, 2]") ==
        Json{{"a", "file(\"x) y\")"}, {"b", "f(g(1))"}, {"c", "T[1, 2]"}});
  CHECK(inside("a: 'x' | 'y' b: p + q + 'r' c: float = 0.5") ==
        Json{{"a", "'x' | 'y'"}, {"b", "p + q + 'r'"}, {"c", "float = 0.5"}});
  CHECK(inside("a: 1e999") == Json{{"a", "1e999"}});
  CHECK(inside("a: 9007199254740993") == Json{{"a", 9007199254740993}});
}

TEST_CASE(
    "strings: three kinds of quotation marks, escapes, and lines without the indentation that they share") {
  const std::string quoted = R"(a: "say \"hi\"\n\\" b: 'it "is"' c: "C:\dir" d: "a // b")";
  CHECK(inside(quoted) ==
        Json{{"a", "say \"hi\"\n\\"}, {"b", "it \"is\""}, {"c", "C:\\dir"}, {"d", "a // b"}});
  CHECK(inside("a: \"\"\"\n      one \"1\"\n        two\n\n      three\n   \"\"\"") ==
        Json{{"a", "one \"1\"\n  two\n\nthree"}});
  CHECK(inside("a: \"\"\"\"\"\" b: \"\" c: \"\"\"x\"\"\"") == Json{{"a", ""}, {"b", ""}, {"c", "x"}});
}

TEST_CASE("heads: words, strings, numbers, parentheses and lists of one line; keys may repeat") {
  CHECK(inside("step 1: \"a\"\n step 2: \"b\"") == Json{{"step 1", "a"}, {"step 2", "b"}});
  CHECK(inside("apply: \"a\"\n apply: \"b\"") == Json{{"apply", Json::array({"a", "b"})}});
  CHECK(inside("fact f(t: T.P) { x: 1 }") == Json{{"fact f (t: T.P)", Json{{"x", 1}}}});
  CHECK(inside("for each p in [\"a\"] { }").items()[0].name == "for each p in [\"a\"]");
  CHECK(inside("emit X\n artifact \"a b\"\n \"quoted key\": 1") ==
        Json{{"emit X", nullptr}, {"artifact a b", nullptr}, {"quoted key", 1}});
  CHECK(inside("thing\n{ a: 1 }") == Json{{"thing", Json{{"a", 1}}}});
}

TEST_CASE("what is wrong is named with file, line, column and what was expected") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "file.spak:1:1: expected `system NAME {`, found the end of the text"},
      {"nothing", "file.spak:1:1: expected `system NAME {`, found 'n'"},
      {"system", "file.spak:1:7: expected the system's name, found the end of the text"},
      {"system A", "file.spak:1:9: expected { and the system's sections, found the end of the text"},
      {"system A {\n  a: 1\n",
       "file.spak:3:1: expected an entry, or } at the end of this block, found the end of the "
       "text; it begins in line 1"},
      {"system A {\n b {\n  c: 1 }\n",
       "file.spak:4:1: expected an entry, or } at the end of this block, found the end "
       "of the text; it begins in line 1"},
      {"system A { a: }",
       "file.spak:1:15: expected a value: a string, a number, a word, [a list] or {an object}, found '}'"},
      {"system A { é: ]", "file.spak:1:15: expected a value"},
      {"system A {\n a: [1, 2\n b: 3 }",
       "file.spak:3:3: expected a value, or ] at the end of this list, found ':'; it "
       "begins in line 2"},
      {"system A { a: \"x\n\" }", "file.spak:1:17: expected \" at the end of this string"},
      {"system A { a: 'x", "file.spak:1:17: expected ' at the end of this string"},
      {"system A { a: \"\"\"x\ny", "file.spak:2:2: expected \"\"\" at the end of this string"},
      {"system A { a: f(x\n) }", "file.spak:1:18: expected ) on the same line"},
      {"system A { a: b | }", "file.spak:1:19: expected another value, found '}'"},
      {"system A { fact f { return 1 + } }",
       "file.spak:1:32: expected an operand on the other side, found '}'"},
      {"system A { fact f { return (1 }", "file.spak:1:31: expected an operator, or ), found '}'"},
      {"system A { fact f { return } }", "file.spak:1:28: expected an expression"},
      {"---\na: b\nc\n---\nsystem A {}",
       "file.spak:3:2: expected a colon: `key: value`, found the end of the line"},
      {"---\na: b\n", "file.spak:3:1: expected `key: value`, or --- at the end of the front matter"},
      {"system A {} system B {}", "file.spak:1:13: expected nothing more, found 's'"},
      {"system A { \x1b }",
       "file.spak:1:12: expected an entry, or } at the end of this block, found '\\x1b'"},
  };
  for (const auto& [text, wanted] : cases) {
    CAPTURE(text);
    CHECK_THAT(complaint(text), Contains(wanted));
  }
}

TEST_CASE("bytes that are no UTF-8 are refused with their place, also in comments and strings") {
  CHECK_THAT(complaint("system A {\n // \xc3\xbc \xff\n }"),
             Contains("file.spak:2:7: a byte that is no UTF-8"));
  CHECK_THAT(complaint("system A { a: \"\xed\xa0\x80\" }"), Contains("file.spak:1:16: a byte"));
}

TEST_CASE("depth and size have limits that are named") {
  const auto nested = [](int levels) {
    return "system A { a: " + std::string(levels, '[') + std::string(levels, ']') + " }";
  };
  CHECK(complaint(nested(kDeepestNesting - 1)) == "none");  // the system's own block is one
  CHECK_THAT(complaint(nested(kDeepestNesting)), Contains("no more than 64"));
  const std::vector<std::pair<std::string, std::string>> openings = {{"", "a {"},
                                                                     {"a: ", "["},
                                                                     {"a: f", "("},
                                                                     {"a: ", "{ a: "},
                                                                     {"fact f { return ", "!"},
                                                                     {"fact f { return ", "("}};
  for (const auto& [before, opening] : openings) {
    std::string text = "system A { " + before;
    for (int i = 0; i < 100'000; ++i) text += opening;
    CAPTURE(before, opening);
    CHECK_THAT(complaint(text), Contains("no more than 64"));
  }
  std::string large;
  large.resize(kLongestSystem + 1, ' ');
  CHECK_THAT(complaint(large), Contains("67108865 bytes"));
}
