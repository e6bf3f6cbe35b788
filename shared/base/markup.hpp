// Text inside HTML and SVG.
#pragma once

#include <string>

namespace ladder {

/// `text` with the five characters that markup reads written as references, and control characters, which it may not hold,
/// as \x1b.
std::string html_escaped(const std::string& text);

}  // namespace ladder
