#include "shared/base/shown.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "shared/base/utf8.hpp"

namespace ladder {
namespace {

/// Of what is not printable.
std::string escaped(std::string_view character) {
  if (character == "\n") return "\\n";
  if (character == "\r") return "\\r";
  if (character == "\t") return "\\t";
  return character.size() == 1
             ? fmt::format("\\x{:02x}", static_cast<unsigned char>(character[0]))
             : fmt::format("\\u{:04x}", static_cast<std::uint32_t>(decode_utf8(character, "").front()));
}

/// Takes one character, or a byte that is none, off `text`, and says how it is shown.
std::string take(std::string_view& text, bool keep_lines) {
  const std::string_view one = take_character(text);
  const bool stays = is_printable(one) || (keep_lines && (one == "\n" || one == "\t"));
  return stays ? std::string(one) : escaped(one);
}

}  // namespace

std::string Shown::str() const {
  // Not all characters as strings: a text may be a whole file.
  const std::size_t last = most / 4, first = most - last;
  std::vector<std::size_t> ends(last + 1, 0);  // where the last characters begin, in a ring
  std::size_t count = 0;
  for (std::string_view rest = text; !rest.empty(); take_character(rest))
    ends[count++ % ends.size()] = text.size() - rest.size();
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
