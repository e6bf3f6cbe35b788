// What messages show of data: nothing that a terminal obeys, whole characters, and not without end.
#include <catch2/catch.hpp>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/markup.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/utf8.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

bool is_printable(const std::string& text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

TEST_CASE("markup holds no character that XML forbids: they are shown as in messages") {
  CHECK(html_escaped("a\x1b[31m\x7f\x01<&\tb\n") == "a\\x1b[31m\\x7f\\x01&lt;&amp;\tb\n");
  CHECK(html_escaped(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(html_escaped("\xEF\xBF\xBE-\xEF\xBF\xBF-\xEF\xBF\xBD") == "\\ufffe-\\uffff-\xEF\xBF\xBD");
}

TEST_CASE("control characters, bytes that are no UTF-8 and marks of direction are escaped, all else stays") {
  CHECK(shown("a b~é−字😀").str() == "a b~é−字😀");
  CHECK(shown("\x1b]0;pwned\x07\r\x1b[2Kgood\n\t\x7f").str() ==
        "\\x1b]0;pwned\\x07\\r\\x1b[2Kgood\\n\\t\\x7f");
  CHECK(shown("\xC2\x9B"
              "1m")
            .str() == "\\u009b1m");  // one character that begins an escape on some terminals
  CHECK(shown("a\xE2\x80\xAE"
              "b\xE2\x80\xA8")
            .str() == "a\\u202eb\\u2028");
  CHECK(shown("caf\xE9 \xE2\x88 \xED\xA0\x80").str() == "caf\\xe9 \\xe2\\x88 \\xed\\xa0\\x80");
  CHECK(shown("a\x80z").str() == "a\\x80z");
  CHECK(shown("").str().empty());
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(is_printable(shown(all, 1000).str()));
  CHECK(valid_utf8_length(shown(all, 1000).str()) == shown(all, 1000).str().size());
}

TEST_CASE("a long text is shown by its two ends, cut between characters") {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "字";
  const std::string cut = shown(text + "end", 20).str();
  CHECK(cut.size() < 120);
  CHECK(valid_utf8_length(cut) == cut.size());
  CHECK_THAT(cut, Catch::Matchers::StartsWith("字字字") && Catch::Matchers::EndsWith("字字end"));
  CHECK_THAT(cut, Contains("10003 characters"));
  CHECK(shown("12345678", 8).str() == "12345678");
}

TEST_CASE("a text is only looked at when a message is made of it: a check costs nothing a character") {
  const std::string alphabet(std::size_t{1} << 24, 'a');
  for (int i = 0; i < 1'000'000; ++i) require(i >= 0, "'{}' is not in {}", i, shown(alphabet));
  CHECK_THROWS_WITH(require(false, "not in {}", shown(alphabet)), Contains("16777216 characters"));
}

TEST_CASE("text of several lines keeps them, and nothing else that a terminal obeys") {
  CHECK(shown_text("a\n\tb\r\x1b[2J\xFF") == "a\n\tb\\r\\x1b[2J\\xff");
  const std::string text(100'000, 'x');
  CHECK(shown_text(text) == text);
}

TEST_CASE("an error points at a whole character") {
  CHECK(first_shown("− b") == "−");
  CHECK(first_shown("\x1bx") == "\\x1b");
  CHECK(first_shown("\xE2\x88") == "\\xe2");
  CHECK(first_shown("").empty());
}

TEST_CASE("markup takes none of its five characters from a text") {
  CHECK(html_escaped("a&b<c>d'e\"f") == "a&amp;b&lt;c&gt;d&#39;e&quot;f");
}

TEST_CASE("of a text that is too long three quarters of what is shown are its beginning, one its end") {
  CHECK(shown("123456789", 8).str() == "123456 ... (9 characters in all) ... 89");
  CHECK(shown("12345", 3).str() == "123 ... (5 characters in all) ... ");
}
