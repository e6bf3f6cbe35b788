// The small GPT-2 that climb and parity go through beside microGPT, where the command line names no model.
#pragma once

#include <optional>

#include "shared/cli/settings.hpp"

namespace ladder::cli {

/// Preset tiny with `flags` over it, on the same data. It trains on windows, of which the last tenth of the text must
/// hold one: unless --block-size was given, a short text gets shorter windows, said in a line on stderr. Nothing for
/// a text that has no room for a window of two characters, which is said, too.
/// Throws InputError for data that cannot be read and for settings that contradict each other.
std::optional<RunSettings> gpt2_section(const RunFlags& flags);

}  // namespace ladder::cli
