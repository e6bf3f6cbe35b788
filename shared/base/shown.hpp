// What comes from data, as a message may show it: names out of files, prompts, alphabets.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace ladder {

/// An argument of fmt::format, and of require(), whose arguments are made whether they are needed or not: the text is
/// looked at only when it is printed. It must outlive this.
struct Shown {
  std::string_view text;
  std::size_t most;
  std::string str() const;
};

/// `text` on one line, without anything that a terminal obeys: control characters, and such as turn the direction of
/// what follows, stand as \n, \x1b or \u202e, bytes that are no UTF-8 as \xff. Of more than `most` characters the
/// first and the last are shown, with their number between: whole characters only.
inline Shown shown(std::string_view text, std::size_t most = 80) { return {text, most}; }

/// The same for what people read on a terminal as text of several lines: line feeds and tabs stay, nothing is left out.
std::string shown_text(std::string_view text);

/// The first character of `text`, escaped in the same way: what an error message points at.
std::string first_shown(std::string_view text);

}  // namespace ladder

template <>
struct fmt::formatter<ladder::Shown> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(const ladder::Shown& shown, fmt::format_context& context) const
      -> fmt::format_context::iterator;
};
