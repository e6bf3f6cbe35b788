// Names of files in texts: a name may hold any bytes but 0 and '/', JSON and terminals take characters only.
#pragma once

#include <string>
#include <string_view>

namespace ladder {

/// The name as text in UTF-8 without control characters: "caf\xe9.txt". Each byte of what is not UTF-8 or is a control
/// character, and of a backslash, is written \xNN in two lower-case hexadecimal digits. What needs none of it stays.
std::string escaped_name(std::string_view name);
/// The name that escaped_name() was given. Texts with other backslashes, as earlier programs wrote them, keep those.
std::string unescaped_name(std::string_view escaped);

/// A name as a word that a shell reads back: as it is, in quotes, or as $'caf\xe9.txt'.
std::string shell_word(std::string_view name);

}  // namespace ladder
