// Running other programs.
#pragma once

#include <string>

namespace ladder {

/// The standard output of a shell command, stripped at the end; empty when it fails. For asking git and python3.
std::string output_of(const std::string& command);

/// `text` as one word of a shell command.
std::string shell_quoted(const std::string& text);

}  // namespace ladder
