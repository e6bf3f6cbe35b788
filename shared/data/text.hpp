// Reading a text to train on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ladder {

/// How messages call what was read from `path`: the path, or "the embedded names".
std::string source_name(const std::string& path);

/// The whole text of `path` (or the embedded names), decoded, with universal newlines. Throws InputError when it
/// is missing, a folder, unreadable or not UTF-8.
std::u32string read_text(const std::string& path);

/// The stripped lines that are not empty, in order, as the original cuts them. Throws InputError naming `source`
/// when there are none.
std::vector<std::u32string> split_documents(std::u32string_view text, std::string_view source);

}  // namespace ladder
