#include "shared/tile/pictures/tile_svg.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "shared/base/markup.hpp"

namespace ladder {
namespace {

constexpr int kLevels = 7;  // on each side of white
constexpr double kHidden = -1e19;

constexpr const char* kStyle =
    "<style>text{font-family:system-ui,sans-serif;fill:#222}.h{font-size:15px;font-weight:600}"
    ".t{font-size:12px}.s{font-size:10px;fill:#555}.n{font-size:10px;text-anchor:end}"
    ".c{font-size:10px;text-anchor:middle;fill:#555}.w{font-size:11px;font-weight:600}"
    ".edge{fill:none;stroke:#444}.line{stroke:#ccc;stroke-width:.6}"
    ".tile{fill:none;stroke:#c60;stroke-width:1.6}"
    ".sum{fill:none;stroke:#06c;stroke-width:1.6}.pad{fill:url(#hatch)}</style>\n"
    "<defs><pattern id='hatch' width='5' height='5' patternUnits='userSpaceOnUse'>"
    "<path d='M0 5L5 0' stroke='#888' stroke-width='.7'/></pattern></defs>\n";

/// Coordinates: at most one decimal.
std::string at(double value) {
  std::string words = fmt::format("{:.1f}", value);
  if (words.size() > 2 && words.compare(words.size() - 2, 2, ".0") == 0) words.resize(words.size() - 2);
  return words;
}

}  // namespace

std::string short_number(double value, int decimals) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::fabs(value) >= 1e6) return fmt::format("{:.0e}", value);
  std::string words = fmt::format("{:.{}f}", value, decimals);
  while (words.back() == '0') words.pop_back();
  if (words.back() == '.') words.pop_back();
  return words == "-0" ? "0" : words;
}

std::string color_of(double value, double scale) {
  constexpr std::array<int, 3> low = {33, 102, 172}, high = {200, 45, 40};
  const double share = std::clamp(value / scale, -1.0, 1.0);
  const int level = static_cast<int>(std::lround(share * kLevels));
  const std::array<int, 3>& end = level < 0 ? low : high;
  std::array<int, 3> rgb{};
  for (std::size_t i = 0; i < 3; ++i) rgb[i] = 255 + (end[i] - 255) * std::abs(level) / kLevels;
  return fmt::format("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]);
}

double largest_magnitude(const std::vector<double>& values, double so_far) {
  for (double value : values)
    if (std::isfinite(value) && value > kHidden) so_far = std::max(so_far, std::fabs(value));
  return so_far == 0.0 ? 1.0 : so_far;
}

TileSvg::TileSvg(double width, double height, const std::string& title) {
  body_ = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' role='img' "
      "aria-label='{2}'>\n",
      at(width), at(height), html_escaped(title));
  body_ += kStyle;
  body_ += fmt::format("<rect width='{}' height='{}' fill='#fff'/>\n", at(width), at(height));
  text({12, 22}, title, "h");
}

void TileSvg::text(Place place, const std::string& words, const char* kind) {
  body_ += fmt::format("<text class='{}' x='{}' y='{}'>{}</text>\n", kind, at(place.x), at(place.y),
                       html_escaped(words));
}

void TileSvg::box(Place place, double width, double height, const std::string& attributes) {
  body_ += fmt::format("<rect x='{}' y='{}' width='{}' height='{}' {}/>\n", at(place.x), at(place.y),
                       at(width), at(height), attributes);
}

void TileSvg::heat(Place place, double cell, std::size_t rows, std::size_t columns,
                   const std::vector<double>& values, double scale, double hidden) {
  // One path a colour, in cells, scaled: a run of equal colours in a row is one rectangle.
  std::map<std::string, std::string> paths;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0, run = 1; j < columns; j += run) {
      const auto color = [&](std::size_t column) {
        const double value = values.at(i * columns + column);
        if (std::isnan(value)) return std::string("#000000");
        return value <= hidden ? std::string("#b4b4b4") : color_of(value, scale);
      };
      const std::string first = color(j);
      for (run = 1; j + run < columns && color(j + run) == first;) ++run;
      paths[first] += fmt::format("M{} {}h{}v1h-{}z", j, i, run, run);
    }
  body_ += fmt::format("<g transform='translate({} {}) scale({})'>\n", at(place.x), at(place.y), at(cell));
  for (const auto& [color, path] : paths) body_ += fmt::format("<path fill='{}' d='{}'/>\n", color, path);
  body_ += "</g>\n";
}

void TileSvg::matrix(Place place, double cell, std::int64_t rows, std::int64_t columns, std::size_t tile_rows,
                     std::size_t tile_columns) {
  const double width = cell * static_cast<double>(columns), height = cell * static_cast<double>(rows);
  const auto line = [&](double x1, double y1, double x2, double y2) {
    body_ +=
        fmt::format("<line class='line' x1='{}' y1='{}' x2='{}' y2='{}'/>\n", at(x1), at(y1), at(x2), at(y2));
  };
  for (std::int64_t i = static_cast<std::int64_t>(tile_rows); i < rows;
       i += static_cast<std::int64_t>(tile_rows))
    line(place.x, place.y + cell * static_cast<double>(i), place.x + width,
         place.y + cell * static_cast<double>(i));
  for (std::int64_t j = static_cast<std::int64_t>(tile_columns); j < columns;
       j += static_cast<std::int64_t>(tile_columns))
    line(place.x + cell * static_cast<double>(j), place.y, place.x + cell * static_cast<double>(j),
         place.y + height);
  box(place, width, height, "class='edge'");
}

std::string TileSvg::finish() const { return body_ + "</svg>\n"; }

}  // namespace ladder
