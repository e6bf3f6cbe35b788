// What a compiled tile kernel needs of a multiprocessor, read from cuobjdump's text: evidence that takes no GPU.
#pragma once

#include <string>
#include <vector>

namespace ladder {

/// Of one kernel for one architecture.
struct KernelResources {
  int architecture = 0;
  std::string kernel;     ///< "linear_forward": without namespace and "_kernel"
  std::string arguments;  ///< of its template, types by their dtype's name: "bf16, {32, 32, 32, 4}, 1"
  /// Of each thread at the start; kernels with several groups of warps exchange them later.
  int registers = 0;
  int shared_bytes = 0;   ///< of a block, the system's share included
  int spilled_bytes = 0;  ///< stack of a thread: what found no register
  int threads = 0;        ///< of a block; the compiler chose them
};

/// What a multiprocessor of an architecture has (CUDA C++ Programming Guide, table of technical specifications).
struct MultiprocessorLimits {
  int warps, blocks, shared_bytes;
};
/// Throws InputError for an architecture that is not in the list of the configurations.
MultiprocessorLimits multiprocessor_limits(int architecture);

/// Blocks that fit on one multiprocessor at a time: the least of what registers (65,536, handed out to a warp in
/// pieces of 256), shared memory (in pieces of 128 bytes, and one KiB a block for the system), warps and blocks allow.
/// 0: it cannot be launched.
int resident_blocks(const KernelResources& kernel);

/// The kernels of stage 3 in the lines of `cuobjdump -res-usage` followed by those of `cuobjdump -elf`, which has the
/// threads. Throws InputError when one of them lacks registers, shared memory or threads.
std::vector<KernelResources> parse_resources(int architecture, const std::vector<std::string>& lines);

/// The whole numbers of `arguments` in order: its tile sizes come first.
std::vector<int> numbers_in(const std::string& arguments);

}  // namespace ladder
