#include "shared/base/escape.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstddef>

#include "shared/base/process.hpp"
#include "shared/base/utf8.hpp"

namespace ladder {
namespace {

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

/// U+0080 to U+009F, which terminals take for commands, begin at `at`.
bool is_high_control(std::string_view text, std::size_t at) {
  return text[at] == '\xC2' && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
}

std::string escaped_byte(char byte) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte)); }

/// Of text in UTF-8.
void add_escaped(std::string_view text, bool backslash, std::string& result) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_high_control(text, i)) {
      result += escaped_byte(text[i]);
      result += escaped_byte(text[++i]);
    } else if (is_control(static_cast<unsigned char>(text[i])) || (backslash && text[i] == '\\')) {
      result += escaped_byte(text[i]);
    } else {
      result += text[i];
    }
  }
}

std::string escaped(std::string_view text, bool backslash) {
  std::string result;
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_length(text);
    add_escaped(text.substr(0, valid), backslash, result);
    text.remove_prefix(valid);
    if (text.empty()) break;
    result += escaped_byte(text.front());
    text.remove_prefix(1);
  }
  return result;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string escaped_name(std::string_view name) { return escaped(name, true); }

std::string unescaped_name(std::string_view escaped) {
  std::string name;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    const bool begins = escaped.substr(i).starts_with("\\x") && i + 3 < escaped.size();
    const int high = begins ? digit_of(escaped[i + 2]) : -1, low = begins ? digit_of(escaped[i + 3]) : -1;
    if (high < 0 || low < 0) {
      name += escaped[i];
      continue;
    }
    name += static_cast<char>(16 * high + low);
    i += 3;
  }
  return name;
}

std::string shell_word(std::string_view name) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-_./=,:+@%").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!name.empty() && std::ranges::all_of(name, is_plain)) return std::string(name);
  if (escaped(name, false) == name) return shell_quoted(std::string(name));
  std::string word = "$'";
  for (const char c : name)
    word += static_cast<unsigned char>(c) >= 0x80 || is_control(static_cast<unsigned char>(c))
                ? escaped_byte(c)
            : c == '\'' || c == '\\' ? std::string{'\\', c}
                                     : std::string(1, c);
  return word + "'";
}

}  // namespace ladder
