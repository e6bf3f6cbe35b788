// Names of files in texts: a name may hold any bytes but 0 and '/', JSON and terminals take characters only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ladder {

/// The name as text in UTF-8 that a terminal only shows: "caf\xe9.txt". Each byte of what is not printable (utf8.hpp),
/// and of a backslash, is written \xNN in two lower-case hexadecimal digits. What needs none of it stays.
std::string escaped_name(std::string_view name);
/// The name that escaped_name() was given. Texts with other backslashes, as earlier programs wrote them, keep those.
std::string unescaped_name(std::string_view escaped);

/// A name as a word that a shell reads back: as it is, in quotes, or as $'caf\xe9.txt'.
std::string shell_word(std::string_view name);
/// The same of a path, and so that no program takes it for a flag: ./-rf.
std::string shell_path(const std::filesystem::path& path);

}  // namespace ladder
