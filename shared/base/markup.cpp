#include "shared/base/markup.hpp"

#include <string_view>

#include "shared/base/shown.hpp"

namespace ladder {
namespace {

/// Bytes of the character that `text` begins with, where it is one that XML does not have, not even as a number: one of
/// them would make a whole picture unreadable. 0 for all others.
std::size_t forbidden_bytes(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte == 0x7F || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')) return 1;
  return text.starts_with("\xEF\xBF\xBE") || text.starts_with("\xEF\xBF\xBF") ? 3 : 0;
}

}  // namespace

std::string html_escaped(const std::string& text) {
  std::string escaped;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (const std::size_t bytes = forbidden_bytes(std::string_view(text).substr(at)); bytes > 0) {
      escaped += bytes == 1 ? first_shown({&text[at], 1}) : text[at + 2] == '\xBE' ? "\\ufffe" : "\\uffff";
      at += bytes - 1;
      continue;
    }
    switch (text[at]) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += text[at];
    }
  }
  return escaped;
}

}  // namespace ladder
