#include "shared/base/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// The first byte of a sequence says its length and which code points need that length; anything below is overlong.
struct LeadByte {
  int continuation_bytes;
  char32_t first_bits;
  char32_t smallest;
};

LeadByte lead_byte(unsigned char byte) {
  if (byte < 0x80) return {0, byte, 0};
  if (byte >= 0xC0 && byte < 0xE0) return {1, byte & 0x1Fu, 0x80};
  if (byte >= 0xE0 && byte < 0xF0) return {2, byte & 0x0Fu, 0x800};
  if (byte >= 0xF0 && byte < 0xF8) return {3, byte & 0x07u, 0x10000};
  return {-1, 0, 0};
}

/// Decodes one character at `position` and moves past it; false when the bytes there are not UTF-8.
bool decode_one(std::string_view bytes, std::size_t& position, char32_t& character) {
  const LeadByte lead = lead_byte(static_cast<unsigned char>(bytes[position]));
  if (lead.continuation_bytes < 0) return false;
  const std::size_t end = position + 1 + static_cast<std::size_t>(lead.continuation_bytes);
  if (end > bytes.size()) return false;
  character = lead.first_bits;
  for (std::size_t i = position + 1; i < end; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if ((byte & 0xC0u) != 0x80u) return false;
    character = (character << 6) | (byte & 0x3Fu);
  }
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  if (character < lead.smallest || character > 0x10FFFF || surrogate) return false;
  position = end;
  return true;
}

/// Lines end where universal_newlines ends them.
std::size_t line_number(std::string_view before) {
  std::size_t line = 1;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool crlf = before[i] == '\r' && i + 1 < before.size() && before[i + 1] == '\n';
    if (before[i] == '\n' || (before[i] == '\r' && !crlf)) ++line;
  }
  return line;
}

[[noreturn]] void refuse(std::string_view bytes, std::size_t position, std::string_view source) {
  throw InputError(fmt::format(
      "{}: line {} is not UTF-8 (byte 0x{:02x} at offset {}): convert the file to UTF-8", source,
      line_number(bytes.substr(0, position)), static_cast<unsigned char>(bytes[position]), position));
}

/// How many of the first bytes, which are no character, some character could begin with; 1 where none could.
std::size_t broken_length(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  const LeadByte lead = lead_byte(first);
  if (lead.continuation_bytes <= 0 || first < 0xC2 || first > 0xF4) return 1;
  // What may stand second keeps out overlong forms, surrogates and everything above U+10FFFF.
  unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  std::size_t length = 1;
  while (length <= static_cast<std::size_t>(lead.continuation_bytes) && length < bytes.size()) {
    const auto byte = static_cast<unsigned char>(bytes[length]);
    if (byte < low || byte > high) break;
    low = 0x80, high = 0xBF;
    ++length;
  }
  return length;
}

}  // namespace

std::u32string decode_utf8(std::string_view bytes, std::string_view source) {
  std::u32string text;
  text.reserve(bytes.size());
  for (std::size_t position = 0; position < bytes.size();) {
    char32_t character = 0;
    if (!decode_one(bytes, position, character)) refuse(bytes, position, source);
    text.push_back(character);
  }
  return text;
}

std::size_t unfinished_utf8(std::string_view bytes) {
  for (std::size_t tail = 1; tail <= std::min<std::size_t>(bytes.size(), 3); ++tail) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - tail]);
    if ((byte & 0xC0u) == 0x80u) continue;  // not where a character begins
    return lead_byte(byte).continuation_bytes >= static_cast<int>(tail) ? tail : 0;
  }
  return 0;
}

std::size_t valid_utf8_length(std::string_view bytes) {
  std::size_t position = 0;
  char32_t character = 0;
  while (position < bytes.size() && decode_one(bytes, position, character)) {
  }
  return position;
}

std::size_t count_utf8(std::string_view bytes, std::string_view source) {
  std::size_t count = 0;
  char32_t character = 0;
  for (std::size_t position = 0; position < bytes.size(); ++count)
    if (!decode_one(bytes, position, character)) refuse(bytes, position, source);
  return count;
}

std::string readable_utf8(std::string_view bytes) {
  std::string text;
  for (;;) {
    const std::size_t valid = valid_utf8_length(bytes);
    text += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) return text;
    text += encode_utf8(U'\uFFFD');
    bytes.remove_prefix(broken_length(bytes));
  }
}

std::string_view take_character(std::string_view& text) {
  std::size_t length = 0;
  char32_t ignored = 0;
  if (!decode_one(text, length, ignored)) length = 1;
  const std::string_view character = text.substr(0, length);
  text.remove_prefix(length);
  return character;
}

bool is_printable(std::string_view character) {
  std::size_t end = 0;
  char32_t c = 0;
  if (!decode_one(character, end, c)) return false;
  const bool controls = c < 0x20 || (c >= 0x7F && c < 0xA0);
  const bool separates_or_turns = c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
                                  (c >= 0x2066 && c <= 0x2069);
  return !controls && !separates_or_turns && c != 0xFFFE && c != 0xFFFF;
}

std::string encode_utf8(char32_t character) {
  const auto tail = [character](int shift) {
    return static_cast<char>(0x80u | ((character >> shift) & 0x3Fu));
  };
  if (character < 0x80) return {static_cast<char>(character)};
  if (character < 0x800) return {static_cast<char>(0xC0u | (character >> 6)), tail(0)};
  if (character < 0x10000) return {static_cast<char>(0xE0u | (character >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xF0u | (character >> 18)), tail(12), tail(6), tail(0)};
}

std::string encode_utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (char32_t character : text) bytes += encode_utf8(character);
  return bytes;
}

bool is_python_space(char32_t character) {
  if (character < 0x80)
    return (character >= 0x09 && character <= 0x0D) || (character >= 0x1C && character <= 0x20);
  if (character >= 0x2000 && character <= 0x200A) return true;
  constexpr std::array<char32_t, 8> others = {0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return std::find(others.begin(), others.end(), character) != others.end();
}

std::u32string_view strip(std::u32string_view text) {
  while (!text.empty() && is_python_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_python_space(text.back())) text.remove_suffix(1);
  return text;
}

std::u32string universal_newlines(std::u32string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool crlf = text[i] == U'\r' && i + 1 < text.size() && text[i + 1] == U'\n';
    if (!crlf) result.push_back(text[i] == U'\r' ? U'\n' : text[i]);
  }
  return result;
}

}  // namespace ladder
