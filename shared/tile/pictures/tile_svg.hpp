// The pieces that pictures of tiles are made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ladder {

/// "1.25", "-0.5", "-1e+20", "inf": at most `decimals` decimals, and no minus in front of zero.
std::string short_number(double value, int decimals = 2);

/// A value as one of 15 colours from blue (-scale) over white (0) to red (+scale).
std::string color_of(double value, double scale);

/// Where something is drawn, in units of the picture.
struct Place {
  double x, y;
};

/// One SVG file under construction: a white page, dark text, elements in the order in which they are added.
class TileSvg {
 public:
  TileSvg(double width, double height, const std::string& title);

  void text(Place at, const std::string& words, const char* kind = "t");
  /// `attributes` such as "class='tile' data-step='3'".
  void box(Place at, double width, double height, const std::string& attributes);
  /// Rows x columns cells of `cell` units each, coloured by value; those at or below `hidden` are grey.
  void heat(Place at, double cell, std::size_t rows, std::size_t columns, const std::vector<double>& values,
            double scale, double hidden = -1e19);
  /// A matrix as an outline with lines every `tile_rows` rows and `tile_columns` columns.
  void matrix(Place at, double cell, std::int64_t rows, std::int64_t columns, std::size_t tile_rows,
              std::size_t tile_columns);
  std::string finish() const;

 private:
  std::string body_;
};

/// The largest magnitude among `values`, leaving out what is hidden or not finite; 1 when there is none.
double largest_magnitude(const std::vector<double>& values, double so_far = 0.0);

}  // namespace ladder
