// Text inside HTML and SVG.
#pragma once

#include <string>

namespace ladder {

/// `text` with the five characters that markup reads written as references.
std::string html_escaped(const std::string& text);

}  // namespace ladder
