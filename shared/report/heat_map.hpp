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

/// A cell as it is drawn.
struct GridCell {
  std::string fill;          ///< a colour of SVG
  std::string figure, note;  ///< large; small, under it or in its place
};

struct HeatGrid {
  std::string title, unit;
  std::vector<std::string> columns, rows;
  std::vector<std::vector<GridCell>> cells;  ///< one list a row
};

/// Green, yellow, red for 0, 1/2, 1: light enough for black text everywhere.
std::string heat_color(double share);

/// The grid as one SVG file that stands alone, readable in light and dark. Throws InputError for a row of another length.
std::string heat_grid(const HeatGrid& grid);

/// Times are compared within a column: the fastest is green, one that takes 10,000 times as long is red, on a
/// logarithmic scale; each cell shows its time and its ratio to the fastest. Stands alone, readable in light
/// and dark.
std::string heat_map(const HeatMap& map);

}  // namespace ladder
