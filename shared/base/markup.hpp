// Text inside HTML and SVG.
#pragma once

#include <string>

namespace ladder {

/// `text` as shown_text() shows it, since markup may not hold all that a text does, with the five characters that markup
/// reads written as references.
std::string html_escaped(const std::string& text);

}  // namespace ladder
