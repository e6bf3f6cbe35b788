#pragma once

#include <string_view>

namespace ladder {

// The text of shared/data/ladder_source.txt, compiled into the program: its own C++ and CUDA sources as they once were
// (shared/scripts/source_text.sh), so that GPT-2 needs no download either. Later changes of the sources leave it alone.
extern const std::string_view embedded_source;

}  // namespace ladder
