#include "shared/base/escape.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstddef>

#include "shared/base/utf8.hpp"

namespace ladder {
namespace {

std::string escaped_byte(char byte) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte)); }

std::string escaped(std::string_view text, bool backslash) {
  std::string result;
  while (!text.empty()) {
    const std::string_view one = take_character(text);
    if (is_printable(one) && !(backslash && one == "\\"))
      result += one;
    else
      for (const char byte : one) result += escaped_byte(byte);
  }
  return result;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// `text` in quotation marks, as one word of a shell command.
std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
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
  if (escaped(name, false) == name) return shell_quoted(name);
  std::string word = "$'";
  for (const char c : name)
    word += !is_printable(std::string_view(&c, 1)) ? escaped_byte(c)
            : c == '\'' || c == '\\'               ? std::string{'\\', c}
                                                   : std::string(1, c);
  return word + "'";
}

std::string shell_path(const std::filesystem::path& path) {
  return shell_word((path.string().starts_with('-') ? "." / path : path).string());
}

}  // namespace ladder
