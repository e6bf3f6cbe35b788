#include "shared/base/markup.hpp"

#include "shared/base/shown.hpp"

namespace ladder {

std::string html_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : shown_text(text)) {
    switch (c) {
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
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace ladder
