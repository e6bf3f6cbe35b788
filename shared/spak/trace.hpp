// Traces: what was measured or found, one JSON object a line, in the order in which it came.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"

namespace ladder::spak {

/// How a measured program marks a line of its output that is an item: __SPAK_TRACE__ {"type": "Performance", ...}
inline constexpr std::string_view kTraceMark = "__SPAK_TRACE__";
inline constexpr int kDeepestItem = 16;  ///< arrays and objects within each other
inline constexpr std::size_t kLongestTrace = std::size_t{1} << 30;

struct Trace {
  std::string name;  ///< of its file
  std::vector<Json> items;
  std::vector<std::size_t> lines;  ///< of the file, from 1: where each item stands
  /// "traces/gemm.jsonl:12", or its id: what a fact names as its evidence.
  std::string link(std::size_t item) const;
};

/// Reads a trace: one item a line, with or without kTraceMark before it; empty lines count for nothing. A file that ends in
/// ".json" is one of this program's own instead, a training run's trace (ladder-trace/1) or a record (ladder-record/1).
/// Throws InputError naming file and line for a line that is no item (an object with a text "type").
Trace read_trace(const std::filesystem::path& path);
Trace parse_trace(std::string_view text, std::string name);

/// The items of a training run: those that it holds, then one of the type Convergence for each step. Throws InputError naming
/// the file for what is no such run.
std::vector<Json> items_of_training(const Json& run, std::string_view name);
/// The rows of a record of times: type Performance, operation: the record's name, configuration: stage, dtype and variant of
/// the row, "seconds" with their middle half; what was not run has that as its reason. Throws as above.
std::vector<Json> items_of_record(const Json& record, std::string_view name);

/// The items among the lines of a program's output; lines without the mark are no items. Throws InputError naming the line
/// for a marked one that is none.
std::vector<Json> items_of_output(std::string_view output, std::string_view program);

/// Those of `heard` that `known` does not hold, whatever their ids, each once; those without an id get one, "STEM-0042",
/// that no other item has.
std::vector<Json> fresh_items(const std::vector<Json>& known, const std::vector<Json>& heard,
                              const std::string& stem);

/// Appends items to a file, each on its line, all of them on the disk when this returns; makes the file. Safe beside
/// other processes that append to it. Throws MachineError where the disk refuses.
void append_items(const std::filesystem::path& path, const std::vector<Json>& items);

}  // namespace ladder::spak
