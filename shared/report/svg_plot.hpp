// Line plots and bar charts as SVG text, coloured by the CSS variables of the report they stand in.
#pragma once

#include <string>
#include <vector>

namespace ladder {

struct PlotLine {
  std::string name;
  /// One for every PlotSettings::steps_each steps; values that are not finite (or, on a log axis, not positive) are gaps.
  std::vector<double> values;
  int color = 0;       ///< number of a CSS variable --series-N
  bool faint = false;  ///< thin, transparent and without an entry in the legend
  bool dashed = false;
  double width = 0.0;  ///< of the stroke; 0: the page's own
};

struct PlotSettings {
  std::string title, x_label, y_label;
  bool log_y = false;
  double legend_at = 0.0;   ///< how far down the legend starts, as a share of the plot's height
  double steps_each = 1.0;  ///< steps that a value stands for
};

/// One SVG element with axes, grid and legend, 760 x 320 units, scaling with its container.
std::string line_plot(const std::vector<PlotLine>& lines, const PlotSettings& settings);

struct Bar {
  std::string name, label;  ///< label stands at the end of the bar
  double value = 0.0;       ///< must be positive
};

/// Horizontal bars on a logarithmic scale that starts a decade below the smallest.
std::string bar_chart(const std::vector<Bar>& bars, const std::string& title);

/// A drawing of the two above put into a larger one, `top` units down.
std::string placed(const std::string& svg, double top, double height);

/// A picture of 784 units' width that stands alone, readable in light and dark; `label` says what it shows.
std::string standalone_svg(const std::string& drawings, double height, const std::string& label);

/// Mean over a centred window, shortened at both ends: what makes a loss curve of single documents readable.
std::vector<double> smoothed(const std::vector<double>& values, int window);

}  // namespace ladder
