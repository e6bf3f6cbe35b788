// Writing to what somebody reads: a pipe, a terminal, a socket, whose reader may stop reading.
#pragma once

#include <string_view>

namespace ladder {

/// Writes all of `bytes` to the descriptor, in pieces that do not block where there is room for one. 0, or the errno of
/// the write that failed; EINTR where a signal asks the program to end while nothing more is taken: a reader that has
/// stopped may never go on. What has been written by then stays.
int write_to_reader(int descriptor, std::string_view bytes);

}  // namespace ladder
