// stdout and stderr of the program: what cannot be printed is told once, at the end, and ends no work before.
#pragma once

#include <string>
#include <string_view>

namespace ladder::cli {

/// To be called first of all. From then on printing never fails and never throws: bytes that stdout does not take are lost,
/// and remembered. A standard stream that was closed is opened on nothing, so that no file of the program takes its number.
void take_standard_streams();

/// A text that came from data, as it goes to stdout: as it is, but a terminal gets no character that it would obey.
std::string for_stdout(std::string_view text);

/// A line on stderr that is no error, behind what was printed before: "ladder: notice: TEXT".
void notice(std::string_view text);

/// stdout has failed to take something; what follows is not worth computing where nobody asked for anything else.
bool stdout_failed();

/// Thrown by such work to stop; main() says what stdout_problem() says.
struct StdoutFailed {};

/// Flushes stdout. What was wrong with it, in words: that it is full, or closed. Empty where nothing was, and where its
/// reader has gone, who has seen what it wanted: `ladder info | head -1`.
std::string stdout_problem();

/// Whether a signal that asks the program to end came while nobody read its standard output on.
bool stdout_interrupted();

}  // namespace ladder::cli
