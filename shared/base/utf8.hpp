// Text as Unicode code points, read the way the original program's interpreter reads it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ladder {

/// Decodes strict UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF; a byte order mark is an ordinary
/// character). Throws InputError naming `source` and the line, counted from 1, of the first byte that is none.
std::u32string decode_utf8(std::string_view bytes, std::string_view source);

/// How many of the first bytes are strict UTF-8: all of them, or those before the first byte that is none.
std::size_t valid_utf8_length(std::string_view bytes);
/// The same without the text: how many characters `bytes` are. Throws what decode_utf8 throws.
std::size_t count_utf8(std::string_view bytes, std::string_view source);
/// With U+FFFD in place of everything that is not UTF-8, one for each byte, or for the bytes that a character was begun
/// with and not ended.
std::string readable_utf8(std::string_view bytes);

/// Code points must be valid ones, as decode_utf8 returns them.
std::string encode_utf8(std::u32string_view text);
std::string encode_utf8(char32_t character);

/// How many of the last bytes begin a character that they do not end: what must wait for more when a text comes in parts.
std::size_t unfinished_utf8(std::string_view bytes);

/// Takes the first character off `text`, which is not empty, or a byte that begins none.
std::string_view take_character(std::string_view& text);
/// Whether a terminal shows what take_character() gave, and does not obey it. The one list of what is escaped wherever
/// something is shown: bytes that are no UTF-8, C0, C1 and DEL, separators of lines and paragraphs, the marks that turn
/// the direction of writing, and U+FFFE and U+FFFF, which XML does not have.
bool is_printable(std::string_view character);

/// What Python's str.isspace() answers for one character; str.strip() removes exactly these from both ends.
bool is_python_space(char32_t character);
std::u32string_view strip(std::u32string_view text);

/// "\r\n" and "\r" become "\n", as Python's text files do.
std::u32string universal_newlines(std::u32string_view text);

}  // namespace ladder
