#include "shared/report/heat_map.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/markup.hpp"
#include "shared/base/text_table.hpp"

namespace ladder {
namespace {

constexpr double kNames = 200, kCellWidth = 128, kCellHeight = 46, kTop = 74, kGap = 3;
constexpr const char* kNoFigure = "rgb(215,215,215)";

double fastest_of(const HeatMap& map, std::size_t column) {
  double fastest = INFINITY;
  for (const HeatRow& row : map.rows)
    if (row.cells[column].seconds > 0.0) fastest = std::min(fastest, row.cells[column].seconds);
  return fastest;
}

std::string text(const char* kind, double x, double y, const std::string& words) {
  return fmt::format("<text class='{}' x='{:.0f}' y='{:.0f}'>{}</text>\n", kind, x, y, html_escaped(words));
}

GridCell drawn(const HeatCell& cell, double fastest) {
  if (!(cell.seconds > 0.0)) return {kNoFigure, "", cell.note.empty() ? "not measured" : cell.note};
  const double ratio = cell.seconds / fastest;
  const std::string times = ratio < 1.005 ? "fastest" : fmt::format("{} times", format_count(ratio));
  return {heat_color(std::log10(ratio) / 4.0), format_seconds(cell.seconds),
          cell.note.empty() ? times : times + ", " + cell.note};
}

std::string cell_svg(const GridCell& cell, double x, double y) {
  const double middle = x + kCellWidth / 2;
  std::string svg =
      fmt::format("<rect x='{:.0f}' y='{:.0f}' width='{:.0f}' height='{:.0f}' rx='4' fill='{}'/>\n", x, y,
                  kCellWidth - kGap, kCellHeight - kGap, cell.fill);
  if (cell.figure.empty()) return svg + text("small", middle, y + 27, cell.note);
  return svg + text("time", middle, y + 19, cell.figure) + text("small", middle, y + 35, cell.note);
}

constexpr const char* kStyle =
    "<style>text{font-family:system-ui,sans-serif;fill:#111}.title{font-size:17px;font-weight:600}"
    ".name,.column{font-size:13px}.column,.time,.small{text-anchor:middle}.time{font-size:14px;font-weight:"
    "600}"
    ".small{font-size:11px}.page{fill:#fff}@media(prefers-color-scheme:dark){.page{fill:#16181d}"
    ".title,.name,.column,.unit{fill:#e8e8e8}}.unit{font-size:12px}</style>\n";

}  // namespace

std::string heat_color(double share) {
  constexpr std::array<std::array<double, 3>, 3> stops = {
      {{120, 200, 130}, {250, 220, 120}, {240, 130, 110}}};
  const double place = std::clamp(share, 0.0, 1.0) * 2.0;
  const std::size_t low = place < 1.0 ? 0 : 1;
  const double part = place - static_cast<double>(low);
  std::array<int, 3> rgb{};
  for (std::size_t i = 0; i < 3; ++i)
    rgb[i] = static_cast<int>(std::lround(stops[low][i] + part * (stops[low + 1][i] - stops[low][i])));
  return fmt::format("rgb({},{},{})", rgb[0], rgb[1], rgb[2]);
}

std::string heat_grid(const HeatGrid& grid) {
  for (std::size_t r = 0; r < grid.rows.size(); ++r)
    require(grid.cells[r].size() == grid.columns.size(),
            "row '{}' of the heat map has {} cells for {} columns", grid.rows[r], grid.cells[r].size(),
            grid.columns.size());
  const double width = kNames + kCellWidth * static_cast<double>(grid.columns.size()) + 12;
  const double height = kTop + kCellHeight * static_cast<double>(grid.rows.size()) + 12;
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:.0f} {1:.0f}' width='{0:.0f}' "
      "role='img' aria-label='{2}'>\n",
      width, height, html_escaped(grid.title));
  svg += kStyle;
  svg += fmt::format("<rect class='page' width='{:.0f}' height='{:.0f}'/>\n", width, height);
  svg += text("title", 12, 24, grid.title) + text("unit", 12, 42, grid.unit);
  for (std::size_t c = 0; c < grid.columns.size(); ++c) {
    const double x = kNames + kCellWidth * static_cast<double>(c);
    svg += text("column", x + kCellWidth / 2, kTop - 10, grid.columns[c]);
    for (std::size_t r = 0; r < grid.rows.size(); ++r)
      svg += cell_svg(grid.cells[r][c], x, kTop + kCellHeight * static_cast<double>(r));
  }
  for (std::size_t r = 0; r < grid.rows.size(); ++r)
    svg += text("name", 12, kTop + kCellHeight * static_cast<double>(r) + 27, grid.rows[r]);
  return svg + "</svg>\n";
}

std::string heat_map(const HeatMap& map) {
  HeatGrid grid{map.title, map.unit, map.columns, {}, {}};
  for (const HeatRow& row : map.rows) {
    require(row.cells.size() == map.columns.size(), "row '{}' of the heat map has {} cells for {} columns",
            row.name, row.cells.size(), map.columns.size());
    grid.rows.push_back(row.name);
    grid.cells.emplace_back();
    for (std::size_t c = 0; c < row.cells.size(); ++c)
      grid.cells.back().push_back(drawn(row.cells[c], fastest_of(map, c)));
  }
  return heat_grid(grid);
}

}  // namespace ladder
