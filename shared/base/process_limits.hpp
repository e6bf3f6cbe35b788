// What the system lets this one process have, beside what the machine has (ulimit): memory, open files, its stack.
#pragma once

#include <cstddef>

namespace ladder {

/// Of `available` bytes of the machine those that this process may still take by its limits of address space and of
/// data (ulimit -v, ulimit -d): at least 1. 0 means that the machine does not say; it stays 0 where there is no limit.
std::size_t within_memory_limits(std::size_t available);

/// Throws MachineError where this process can open only a handful of files more (ulimit -n): outputs that were found to
/// be writable could then fail when the work is done.
void require_descriptors();

/// Throws MachineError where the stacks of this process and its threads are shorter than the CPU models of the kernels
/// need (ulimit -s): their tiles lie there, and a stack that overflows ends the program without a word.
void require_stack();

}  // namespace ladder
