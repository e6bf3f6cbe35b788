// Names of files as text, and back.
#include <catch2/catch.hpp>

#include "shared/base/escape.hpp"
#include "shared/base/process.hpp"
#include "shared/base/utf8.hpp"

using namespace ladder;

namespace {

const std::vector<std::string> kNames = {"plain.txt", "caf\xe9.txt",   "caf\xc3\xa9.txt", "a\\b",
                                         "a\\xe9",    "\\x5cxe9",      "line\nend\r\t",   "\x1b[31mred",
                                         "\xc2\x85",  "\xc2",          "\xff\xfe\\\xc3",  "it's a name",
                                         "-rf",       "日本語",        "$HOME `id`",      "two  blanks  ",
                                         "\\",        "\\x",           "\\xg0",           "'\xe9'",
                                         "\x7f",      "\u202egpj.txt", "a\u2066b",        "\u061c"};

}  // namespace

TEST_CASE("any name is escaped to text that a terminal only shows, reversibly") {
  for (const std::string& name : kNames) {
    const std::string escaped = escaped_name(name);
    CAPTURE(escaped);
    CHECK(unescaped_name(escaped) == name);
    for (std::string_view rest = escaped; !rest.empty();) CHECK(is_printable(take_character(rest)));
  }
  CHECK(escaped_name("\n\x7f\xc2\x85\u202e\u2066") == "\\x0a\\x7f\\xc2\\x85\\xe2\\x80\\xae\\xe2\\x81\\xa6");
  for (int byte = 1; byte < 256; ++byte) {
    const std::string name = {'a', static_cast<char>(byte), 'b'};
    CHECK(unescaped_name(escaped_name(name)) == name);
  }
}

TEST_CASE(
    "a name that needs no escape stays as it is, and what no escape is stays in an earlier program's files") {
  for (const std::string name : {"plain.txt", "caf\xc3\xa9.txt", "日本語", "it's a name"})
    CHECK(escaped_name(name) == name);
  for (const std::string text : {"C:\\data", "\\xZZ", "\\xE9", "\\x4"}) CHECK(unescaped_name(text) == text);
  CHECK(escaped_name("caf\xe9.txt") == "caf\\xe9.txt");
}

TEST_CASE("a shell reads every word of a printed call back") {
  for (const std::string& name : kNames) {
    if (shell_word(name).starts_with("$'")) continue;  // that is not every shell's
    CHECK(output_of({"sh", "-c", "printf '%s|' " + shell_word(name)}) == name + "|");
  }
  if (output_of({"bash", "-c", "echo 1"}) != "1") return;
  for (const std::string& name : kNames)
    CHECK(output_of({"bash", "-c", "printf '%s|' " + shell_word(name)}) == name + "|");
}

TEST_CASE("no program takes a path of a printed call for a flag") {
  CHECK(shell_path("-rf") == "./-rf");
  CHECK(shell_path("-a b") == "'./-a b'");
  CHECK(shell_path("a/-b") == "a/-b");
}
