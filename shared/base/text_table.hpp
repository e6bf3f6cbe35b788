// Tables of text, and how times and counts are written in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ladder {

/// A table's rows; the first is the head.
using Cells = std::vector<std::vector<std::string>>;

/// "142 ms", "15.3 us", "880 ns": three digits, a fitting unit.
std::string format_seconds(double seconds);

/// "9,840": a ratio or a count with thousands separated; below 100 with one decimal, below 1 with two.
std::string format_count(double value);

/// "1 step", "2 steps".
std::string counted(std::uint64_t count, std::string_view what);

/// Cells as a table with aligned columns; the first row is the head. The first column is aligned left, the rest right.
std::string text_table(const Cells& rows);
/// The same as a Markdown table.
std::string markdown_table(const Cells& rows);

}  // namespace ladder
