#include "shared/report/svg_plot.hpp"
#include "shared/base/markup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ladder {
namespace {

/// Of a picture that stands alone.
constexpr const char* kStyle = R"css(<style>
svg { --text: #1d2327; --soft: #5c6670; --rule: #d9dcd6; --back: #fbfbf9; --series-0: #9fc9dc; --series-1: #f0b67f;
  --series-2: #5fb58a; --series-3: #ad1a72; --series-4: #2a2a5e; --series-5: #7a6a00 }
@media (prefers-color-scheme: dark) {
  svg { --text: #e6e8ea; --soft: #9aa4ad; --rule: #30363c; --back: #14171a; --series-0: #2f6f8c; --series-1: #b0713a;
    --series-2: #4fae80; --series-3: #ff7ac0; --series-4: #f2f0ff; --series-5: #e0cc5a } }
.page { fill: var(--back) }
text { font: 12px system-ui, sans-serif; fill: var(--text) }
.title { font-size: 14px; font-weight: 600 } .tick { fill: var(--soft); font-size: 11px }
.grid { stroke: var(--rule) } .line { fill: none; stroke-width: 2; stroke-linejoin: round }
</style>
)css";

constexpr double kWidth = 760, kHeight = 320, kLeft = 66, kRight = 16, kTop = 34, kBottom = 44;

/// Maps values to the drawing; `log` axes take logarithms first.
struct Axis {
  double low = 0.0, high = 1.0;  ///< of the value, or of its decimal logarithm
  double from = 0.0, to = 1.0;   ///< in the drawing
  bool log = false;

  double at(double value) const {
    const double v = log ? std::log10(value) : value;
    return from + (to - from) * (v - low) / (high - low);
  }
  bool shows(double value) const { return std::isfinite(value) && (!log || value > 0.0); }
};

/// The step of 1, 2 or 5 times a power of ten that gives at most `count` intervals.
double nice_step(double span, int count) {
  const double raw = span / count, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw) return factor * power;
  return 10.0 * power;
}

Axis y_axis(const std::vector<PlotLine>& lines, bool log) {
  Axis axis{INFINITY, -INFINITY, kHeight - kBottom, kTop, log};
  for (const PlotLine& line : lines)
    for (double value : line.values) {
      if (!axis.shows(value)) continue;
      const double v = log ? std::log10(value) : value;
      axis.low = std::fmin(axis.low, v);
      axis.high = std::fmax(axis.high, v);
    }
  if (!(axis.low <= axis.high)) axis.low = axis.high = 0.0;
  const double step = log ? 1.0 : nice_step(std::fmax(axis.high - axis.low, 1e-9), 5);
  axis.low = std::floor(axis.low / step) * step;
  axis.high = std::ceil(axis.high / step) * step;
  if (axis.high <= axis.low) axis.high = axis.low + step;
  return axis;
}

std::string number(double value) {
  std::string text = fmt::format("{:.4g}", value);
  return text == "-0" ? "0" : text;
}

std::string grid(const Axis& x, const Axis& y, double steps) {
  std::string svg;
  const double y_step =
      y.log ? std::fmax(1.0, std::ceil((y.high - y.low) / 8.0)) : nice_step(y.high - y.low, 5);
  for (double v = y.low; v <= y.high + 1e-9 * y_step; v += y_step) {
    const double place = y.from + (y.to - y.from) * (v - y.low) / (y.high - y.low);
    svg += fmt::format("<line class='grid' x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, kWidth - kRight,
                       place, place);
    svg += fmt::format("<text class='tick' text-anchor='end' x='{}' y='{:.1f}'>{}</text>", kLeft - 8,
                       place + 4, y.log ? fmt::format("1e{:.0f}", v) : number(v));
  }
  const double x_step = std::fmax(1.0, nice_step(std::fmax(steps, 1.0), 8));
  for (double v = 0; v <= steps; v += x_step)
    svg += fmt::format("<text class='tick' text-anchor='middle' x='{:.1f}' y='{}'>{}</text>", x.at(v),
                       kHeight - kBottom + 18, number(v));
  return svg;
}

std::string width_of(const PlotLine& line) {
  return line.width > 0.0 ? fmt::format(";stroke-width:{:g}", line.width) : "";
}

std::string path_of(const PlotLine& line, const Axis& x, const Axis& y, double steps_each) {
  std::string d;
  bool drawing = false;
  for (std::size_t i = 0; i < line.values.size(); ++i) {
    if (!y.shows(line.values[i])) {
      drawing = false;
      continue;
    }
    d += fmt::format("{}{:.1f} {:.1f}", drawing ? "L" : "M", x.at(steps_each * static_cast<double>(i + 1)),
                     y.at(line.values[i]));
    drawing = true;
  }
  return fmt::format("<path class='line{}' style='stroke:var(--series-{}){}'{} d='{}'/>",
                     line.faint ? " faint" : "", line.color, width_of(line),
                     line.dashed ? " stroke-dasharray='6 4'" : "", d);
}

std::string legend(const std::vector<PlotLine>& lines, double at) {
  std::string svg;
  double place = kTop + 14 + at * (kHeight - kTop - kBottom);
  for (const PlotLine& line : lines) {
    if (line.faint) continue;
    svg += fmt::format(
        "<line class='line' style='stroke:var(--series-{}){}'{} x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}'/>",
        line.color, width_of(line), line.dashed ? " stroke-dasharray='6 4'" : "", kWidth - 250, kWidth - 226,
        place, place);
    svg += fmt::format("<text class='key' x='{}' y='{:.1f}'>{}</text>", kWidth - 218, place + 4,
                       html_escaped(line.name));
    place += 18;
  }
  return svg;
}

std::string opened(double height, const std::string& title) {
  return fmt::format(
      "<svg viewBox='0 0 {} {}' role='img' aria-label='{}'><text class='title' x='0' y='16'>{}</text>",
      kWidth, height, html_escaped(title), html_escaped(title));
}

}  // namespace

std::vector<double> smoothed(const std::vector<double>& values, int window) {
  std::vector<double> result(values.size());
  const auto half = static_cast<std::size_t>(window / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t first = i > half ? i - half : 0, last = std::min(i + half, values.size() - 1);
    double sum = 0.0;
    for (std::size_t k = first; k <= last; ++k) sum += values[k];
    result[i] = sum / static_cast<double>(last - first + 1);
  }
  return result;
}

std::string line_plot(const std::vector<PlotLine>& lines, const PlotSettings& settings) {
  double steps = settings.steps_each;
  for (const PlotLine& line : lines)
    steps = std::fmax(steps, settings.steps_each * static_cast<double>(line.values.size()));
  const Axis x{0.0, steps, kLeft, kWidth - kRight, false};
  const Axis y = y_axis(lines, settings.log_y);
  std::string svg = opened(kHeight, settings.title) + grid(x, y, steps);
  for (const PlotLine& line : lines) svg += path_of(line, x, y, settings.steps_each);
  svg += legend(lines, settings.legend_at);
  svg += fmt::format("<text class='tick' text-anchor='middle' x='{}' y='{}'>{}</text>",
                     (kLeft + kWidth - kRight) / 2, kHeight - 6, html_escaped(settings.x_label));
  return svg + fmt::format("<text class='tick' x='{}' y='{}'>{}</text></svg>\n", kLeft, kTop - 6,
                           html_escaped(settings.y_label));
}

std::string bar_chart(const std::vector<Bar>& bars, const std::string& title) {
  constexpr double row = 30, left = 200, right = 120;
  double low = INFINITY, high = -INFINITY;
  for (const Bar& bar : bars) {
    low = std::fmin(low, std::log10(bar.value));
    high = std::fmax(high, std::log10(bar.value));
  }
  const Axis axis{std::floor(low - 0.5), std::fmax(high, std::floor(low - 0.5) + 1.0), left, kWidth - right,
                  true};
  const double height = kTop + row * static_cast<double>(bars.size()) + 6;
  std::string svg = opened(height, title);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double top = kTop + row * static_cast<double>(i);
    svg += fmt::format("<text class='key' text-anchor='end' x='{}' y='{:.1f}'>{}</text>", left - 10, top + 15,
                       html_escaped(bars[i].name));
    svg += fmt::format(
        "<rect style='fill:var(--series-{})' rx='3' x='{}' y='{:.1f}' width='{:.1f}' height='20'/>", i % 6,
        left, top, axis.at(bars[i].value) - left);
    svg += fmt::format("<text class='key' x='{:.1f}' y='{:.1f}'>{}</text>", axis.at(bars[i].value) + 8,
                       top + 15, html_escaped(bars[i].label));
  }
  return svg + "</svg>\n";
}

std::string placed(const std::string& svg, double top, double height) {
  return fmt::format("<svg x='12' y='{}' width='760' height='{}'{}", top, height, svg.substr(4));
}

std::string standalone_svg(const std::string& drawings, double height, const std::string& label) {
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 784 {0:.0f}' width='784' role='img' "
      "aria-label='{1}'>\n{2}<rect class='page' width='784' height='{0:.0f}'/>\n{3}</svg>\n",
      height, html_escaped(label), kStyle, drawings);
}

}  // namespace ladder
