#pragma once

#include <string_view>

namespace ladder {

// The text of shared/data/names.txt, compiled into the program so that a first run needs no file and no
// download: one lower-case given name a line, every line ended by '\n'.
extern const std::string_view embedded_names;

}  // namespace ladder
