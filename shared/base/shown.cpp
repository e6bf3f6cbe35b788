#include "shared/base/shown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "shared/base/utf8.hpp"

namespace ladder {
namespace {

/// C0, C1 and DEL, separators of lines and paragraphs, and the marks that turn the direction of writing.
bool is_unprintable(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

std::string escaped(char32_t c) {
  switch (c) {
    case U'\n':
      return "\\n";
    case U'\r':
      return "\\r";
    case U'\t':
      return "\\t";
    default:
      return c < 0x80 ? fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c))
                      : fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
  }
}

/// Bytes of the character that `text` begins with; 0 where it begins with none.
std::size_t character_bytes(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(text.size(), 4); ++length)
    if (valid_utf8_length(text.substr(0, length)) == length) return length;
  return 0;
}

/// Takes one character, or a byte that is none, off `text`, and says how it is shown.
std::string take(std::string_view& text, bool keep_lines) {
  const std::size_t length = character_bytes(text);
  const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
  text.remove_prefix(character.size());
  if (length == 0) return fmt::format("\\x{:02x}", static_cast<unsigned char>(character[0]));
  const char32_t c = decode_utf8(character, "").front();
  if (keep_lines && (c == U'\n' || c == U'\t')) return std::string(character);
  return is_unprintable(c) ? escaped(c) : std::string(character);
}

}  // namespace

std::string Shown::str() const {
  // Not all characters as strings: a text may be a whole file.
  const std::size_t last = most / 4, first = most - last;
  std::vector<std::size_t> ends(last + 1, 0);  // where the last characters begin, in a ring
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += std::max<std::size_t>(character_bytes(text.substr(at)), 1))
    ends[count++ % ends.size()] = at;
  std::string_view rest = text;
  std::string result;
  for (std::size_t i = 0; i < (count <= most ? count : first); ++i)
    result += take(rest, /*keep_lines=*/false);
  if (count <= most) return result;
  result += fmt::format(" ... ({} characters in all) ... ", count);
  if (last == 0) return result;
  for (rest = text.substr(ends[(count - last) % ends.size()]); !rest.empty();)
    result += take(rest, /*keep_lines=*/false);
  return result;
}

std::string shown_text(std::string_view text) {
  std::string result;
  while (!text.empty()) result += take(text, /*keep_lines=*/true);
  return result;
}

std::string first_shown(std::string_view text) {
  return text.empty() ? "" : take(text, /*keep_lines=*/false);
}

}  // namespace ladder

auto fmt::formatter<ladder::Shown>::format(const ladder::Shown& shown, fmt::format_context& context) const
    -> fmt::format_context::iterator {
  return fmt::format_to(context.out(), "{}", shown.str());
}
