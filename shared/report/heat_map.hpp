// A heat map as one SVG file: who is fastest at which size.
#pragma once

#include <string>
#include <vector>

namespace ladder {

struct HeatCell {
  double seconds = 0.0;  ///< not positive: not measured
  std::string note;      ///< under the time, or instead of it: "emulated", "too slow here"
};

struct HeatRow {
  std::string name;
  std::vector<HeatCell> cells;  ///< one a column
};

struct HeatMap {
  std::string title, unit;  ///< unit: what a time is of, "per document"
  std::vector<std::string> columns;
  std::vector<HeatRow> rows;
};

/// Times are compared within a column: the fastest is green, one that takes 10,000 times as long is red, on a
/// logarithmic scale; each cell shows its time and its ratio to the fastest. Stands alone, readable in light
/// and dark.
std::string heat_map(const HeatMap& map);

}  // namespace ladder
