// The house rules that a machine can check: each rule reads files and returns what is wrong,
// one line a fault. test_rules.cpp shows every rule a sample that breaks it; test_tree.cpp
// applies them to this repository.
#pragma once

#include <string>
#include <vector>

namespace ladder::house {

struct File {
  std::string path;  ///< from the repository root, with '/'
  std::string text;
};

using Files = std::vector<File>;
using Faults = std::vector<std::string>;

/// The tracked files of a checkout (all files but build folders where git does not
/// answer), binary ones left out.
Files read_tree(const std::string& root);

/// The top level holds only what was agreed on.
Faults top_level_faults(const Files& files);

/// No source of more than 450 lines.
Faults length_faults(const Files& files);

/// Every kernel of a `kernels/` or `ladder/` folder has the seven fields in front of it, in order, none of
/// them empty.
Faults kernel_header_faults(const Files& files);

/// No words of unfinished work in sources.
Faults unfinished_faults(const Files& files);

/// No paths of somebody's machine, and no way out of the checkout but in .ci/.
Faults machine_path_faults(const Files& files);

/// Every generated block of a README is closed and has a source: the table of tolerances, a committed
/// record, or the items of a kernel ladder.
Faults marker_faults(const Files& files);

/// README.md names every subcommand that shared/cli/commands.hpp declares.
Faults subcommand_faults(const Files& files);

/// Nothing is compiled with fast-math, which would let the checkers accept NaN and change the last bits.
Faults fast_math_faults(const Files& files);

/// Preconditions are require(), which stays in release builds and has a message, not assert().
Faults assert_faults(const Files& files);

/// No test is switched off or allowed to fail; hidden ones are tagged [slow] and run
/// under ctest's label `slow`.
Faults disabled_test_faults(const Files& files);

/// Eigen and CUDA never meet in one file.
Faults mixed_header_faults(const Files& files);

/// Headers that cost every file which reads them seconds stand only where they are needed: nlohmann's JSON behind
/// shared/base/json.hpp, CLI11 behind shared/cli/options.hpp, Eigen in stage 1, regular expressions in tests; fmt's
/// large headers in no header. PCRE2's costs little, but its macros know one width of characters a file.
Faults dear_header_faults(const Files& files);

/// The first page has at most 120 lines, every other README at most 250.
Faults page_length_faults(const Files& files);

/// No comment leaves one word alone on a line behind a full one: such words are what a formatter left over.
Faults lone_word_faults(const Files& files);

/// Every stage's README has the parts that house.md asks for: a command, a diff, exercises, what comes next.
Faults stage_readme_faults(const Files& files);

}  // namespace ladder::house
