// The rule on how comments are wrapped.
#include <regex>
#include <sstream>

#include "tests/house/rules.hpp"

namespace ladder::house {
namespace {

/// A line of nothing but a comment.
struct Comment {
  std::string indent, marker, text;
};

bool read_comment(const std::string& line, Comment& comment) {
  static const std::regex pattern(R"(^(\s*)(///?) +(\S.*)$)");
  std::smatch match;
  if (!std::regex_match(line, match, pattern)) return false;
  comment = {match[1], match[2], match[3]};
  return true;
}

/// One word of a sentence, not a name of a linter's check, a formula or a mark.
bool is_one_word(const std::string& text) {
  static const std::regex word(R"([`'"(]*[A-Za-z_][A-Za-z0-9_:.()^-]*[`'"),.;:?]*)");
  return text.find("NOLINT") == std::string::npos && std::regex_match(text, word);
}

}  // namespace

Faults lone_word_faults(const Files& files) {
  constexpr std::size_t full = 80;  // a shorter line before it was ended on purpose
  static const std::regex cxx(R"(\.(hpp|cpp|cuh|cu)$)");
  Faults faults;
  for (const File& file : files) {
    if (!std::regex_search(file.path, cxx)) continue;
    std::istringstream in(file.text);
    std::string line, before;
    for (std::size_t number = 1; std::getline(in, line); ++number, before = line) {
      Comment above, comment;
      if (before.size() < full || !read_comment(before, above) || !read_comment(line, comment)) continue;
      if (above.indent != comment.indent || above.marker != comment.marker) continue;
      if (is_one_word(comment.text))
        faults.push_back(file.path + ":" + std::to_string(number) +
                         ": one word alone on a line: " + comment.text);
    }
  }
  return faults;
}

}  // namespace ladder::house
