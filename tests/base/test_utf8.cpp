// Text is read as the original program's interpreter reads it: these cases state what Python 3 answers.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/utf8.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE("valid UTF-8 of every length decodes and encodes back") {
  const std::string bytes = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBB\xBF";
  const std::u32string text = {U'a', 0xE9, 0x20AC, 0x1F600, 0xFEFF};
  CHECK(decode_utf8(bytes, "f") == text);
  CHECK(encode_utf8(text) == bytes);
}

TEST_CASE("the first and last code point of every length survive a round trip") {
  for (char32_t c : {0x0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF})
    CHECK(decode_utf8(encode_utf8(c), "f") == std::u32string(1, c));
}

TEST_CASE("bytes that are not UTF-8 are refused") {
  const std::vector<std::string> wrong = {
      "\x80",              // continuation without a start
      "\xC3",              // cut off
      "\xC3(",             // start without a continuation
      "\xC0\x80",          // overlong NUL
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      // overlong
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xED\xA0\x80",      // surrogate
      "\xED\xBF\xBF",      // surrogate
      "\xF4\x90\x80\x80",  // above U+10FFFF
      "\xF8\x88\x80\x80\x80",
      "\xFE",
      "\xFF",
  };
  for (const std::string& bytes : wrong) CHECK_THROWS_AS(decode_utf8("ok" + bytes, "f"), InputError);
}

TEST_CASE("the error names source, line, byte and offset") {
  CHECK_THROWS_WITH(decode_utf8("one\ntwo\nth\xFFree\n", "names.txt"),
                    Contains("names.txt") && Contains("line 3") && Contains("0xff") && Contains("offset 10"));
  CHECK_THROWS_WITH(decode_utf8("one\r\ntwo\r\xFF", "f"), Contains("line 3"));
}

TEST_CASE("what is valid at the beginning is counted, and what is not is replaced") {
  CHECK(valid_utf8_length("") == 0);
  CHECK(valid_utf8_length("ab\xC3\xA9") == 4);
  CHECK(valid_utf8_length("ab\xC3") == 2);
  CHECK(count_utf8("a\xC3\xA9\xE6\x97\xA5", "text") == 3);
  CHECK_THROWS_WITH(count_utf8("a\nb\xFF", "text"), Contains("text: line 2 is not UTF-8"));
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(readable_utf8("a\xC3\xA9") == "a\xC3\xA9");
  CHECK(readable_utf8("a\xFF\xFE z") == "a" + mark + mark + " z");
  CHECK(readable_utf8("\xE6\x97") == mark);  // a character begun and not ended
  CHECK(readable_utf8("\xF0\x9F\x98x") == mark + "x");
  CHECK(readable_utf8("\xE6\xE6\x97") == mark + mark);
  CHECK(readable_utf8("\xC0\x80") == mark + mark);  // overlong: no character begins so
  CHECK(readable_utf8("\xE0\x80\x80") == mark + mark + mark);
  CHECK(readable_utf8("\xED\xA0\x80") == mark + mark + mark);  // half a surrogate pair
  CHECK(readable_utf8("\xF4\x90\x80\x80") == mark + mark + mark + mark);
}

TEST_CASE("strip removes exactly Python's white space") {
  std::u32string spaces = {0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0x85, 0xA0, 0x20};
  for (char32_t c = 0x09; c <= 0x0D; ++c) spaces.push_back(c);
  for (char32_t c = 0x1C; c <= 0x1F; ++c) spaces.push_back(c);
  for (char32_t c = 0x2000; c <= 0x200A; ++c) spaces.push_back(c);
  std::size_t count = 0;
  for (char32_t c = 0; c < 0x110000; ++c) count += is_python_space(c) ? 1 : 0;
  CHECK(count == spaces.size());
  CHECK(count == 29);  // len([c for c in range(0x110000) if chr(c).isspace()]) in Python 3.11
  CHECK(strip(spaces + U"a b" + spaces) == U"a b");
  CHECK(strip(spaces).empty());
}

TEST_CASE("a zero-width space, a byte order mark and NUL are not white space") {
  for (char32_t c : {char32_t{0x200B}, char32_t{0xFEFF}, char32_t{0}, char32_t{0x180E}})
    CHECK(strip(std::u32string(1, c)).size() == 1);
}

TEST_CASE("line ends become line feeds") {
  CHECK(universal_newlines(U"a\r\nb\rc\nd\r\r\n\n\r") == U"a\nb\nc\nd\n\n\n\n");
  CHECK(universal_newlines(U"").empty());
}

TEST_CASE("the begun end of a character is told from whole ones and from bytes that begin none") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";  // a, e acute, euro sign, a face
  const std::vector<std::size_t> unfinished = {0, 0, 1, 0, 1, 2, 0, 1, 2, 3, 0};
  for (std::size_t i = 0; i <= text.size(); ++i) CHECK(unfinished_utf8(text.substr(0, i)) == unfinished[i]);
  CHECK(unfinished_utf8("\xA9") == 0);
  CHECK(unfinished_utf8("a\x80\x80\x80\x80") == 0);
  CHECK(unfinished_utf8("\xC3\xA9\xA9") == 0);
}
