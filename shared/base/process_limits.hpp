// What the system lets this one process have, beside what the machine has: ulimit's memory and open files.
#pragma once

#include <cstddef>

namespace ladder {

/// Of `available` bytes of the machine those that this process may still take by its limits of address space and of
/// data (ulimit -v, ulimit -d): at least 1. 0 means that the machine does not say; it stays 0 where there is no limit.
std::size_t within_memory_limits(std::size_t available);

/// Throws MachineError where this process can open only a handful of files more (ulimit -n): outputs that were found to
/// be writable could then fail when the work is done.
void require_descriptors();

}  // namespace ladder
