#include "shared/tile/pictures/picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/tile/pictures/flow.hpp"
#include "shared/tile/pictures/tile_svg.hpp"

namespace ladder {
namespace {

std::string block_name(const tile::Index& block) {
  return fmt::format("block ({}, {}, {})", block.x, block.y, block.z);
}

std::string place_of(const BlockStep& step) {
  return fmt::format("{} ({})", step.tensor, fmt::join(step.at, ", "));
}

/// A matrix of the picture: the last two dimensions of a tensor and of its tiles, turned over when `transposed`.
struct Drawn {
  std::string name;
  std::int64_t rows, columns;           ///< of the tensor
  std::size_t tile_rows, tile_columns;  ///< of a tile
  std::int64_t at_row, at_column;       ///< of this tile, in tiles
  std::vector<double> values;           ///< of this tile, row by row as drawn
  std::string place;                    ///< "x_ni (1, 0)"
};

Drawn drawn(const BlockStep& step, bool transposed) {
  const std::size_t d = step.at.size();
  require(d >= 2, "step {} of the block moves no tile of a matrix", step.id);
  Drawn one{step.tensor.empty() ? "(scratch)" : step.tensor,
            step.extents[d - 2],
            step.extents[d - 1],
            step.shape[d - 2],
            step.shape[d - 1],
            step.at[d - 2],
            step.at[d - 1],
            step.values,
            place_of(step)};
  if (!transposed) return one;
  one.name += " transposed";
  for (std::size_t i = 0; i < one.tile_rows; ++i)
    for (std::size_t j = 0; j < one.tile_columns; ++j)
      one.values[j * one.tile_rows + i] = step.values[i * one.tile_columns + j];
  std::swap(one.rows, one.columns);
  std::swap(one.tile_rows, one.tile_columns);
  std::swap(one.at_row, one.at_column);
  return one;
}

/// Elements from the matrix's begin to the end of its last tile, along one dimension.
double covered(std::int64_t extent, std::size_t tile) {
  const auto size = static_cast<std::int64_t>(tile);
  const std::int64_t whole = (extent + size - 1) / size * size;
  return static_cast<double>(whole);
}

/// Hatches the part of a tile that lies outside its matrix.
void hatch_outside(TileSvg& svg, Place corner, double cell, const Drawn& m) {
  const double rows = static_cast<double>(m.tile_rows), columns = static_cast<double>(m.tile_columns);
  const double inside_rows =
      std::clamp(static_cast<double>(m.rows) - static_cast<double>(m.at_row) * rows, 0.0, rows);
  const double inside_columns =
      std::clamp(static_cast<double>(m.columns) - static_cast<double>(m.at_column) * columns, 0.0, columns);
  if (inside_columns < columns)
    svg.box({corner.x + cell * inside_columns, corner.y}, cell * (columns - inside_columns), cell * rows,
            "class='pad'");
  if (inside_rows < rows)
    svg.box({corner.x, corner.y + cell * inside_rows}, cell * inside_columns, cell * (rows - inside_rows),
            "class='pad'");
}

/// The matrix, the tile's values in their place, and the tile's frame.
void draw(TileSvg& svg, Place origin, double cell, const Drawn& m, double scale, const char* kind) {
  svg.matrix(origin, cell, m.rows, m.columns, m.tile_rows, m.tile_columns);
  const Place corner{origin.x + cell * static_cast<double>(m.at_column) * static_cast<double>(m.tile_columns),
                     origin.y + cell * static_cast<double>(m.at_row) * static_cast<double>(m.tile_rows)};
  svg.heat(corner, cell, m.tile_rows, m.tile_columns, m.values, scale);
  hatch_outside(svg, corner, cell, m);
  svg.box(corner, cell * static_cast<double>(m.tile_columns), cell * static_cast<double>(m.tile_rows),
          fmt::format("class='{}' data-tile='{}'", kind, m.place));
}

std::string size_of(const Drawn& m) { return fmt::format("{}: {} x {}", m.name, m.rows, m.columns); }

/// Sizes that all panels of a product share.
struct ProductLayout {
  double cell, left, top, width, height, inputs, sums;  ///< inputs, sums: the colours' scales
  std::size_t panels;
};

ProductLayout layout_of(const std::vector<Product>& products) {
  const Product& product = products[0];
  const Drawn left = drawn(*product.steps[0].left.load, product.steps[0].left.transposed);
  const Drawn right = drawn(*product.steps[0].right.load, product.steps[0].right.transposed);
  const double inner = covered(left.columns, left.tile_columns);
  const double columns = covered(right.columns, right.tile_columns),
               rows = covered(left.rows, left.tile_rows);
  ProductLayout layout{};
  layout.cell = std::max(1.0, std::floor(330.0 / (inner + std::max(rows, columns))));
  layout.left = layout.cell * inner + 14;
  layout.top = layout.cell * inner + 14;
  layout.width = layout.left + layout.cell * columns + 24;
  layout.height = layout.top + layout.cell * rows + 78;
  for (const Product& one : products)
    for (const ProductStep& step : one.steps) {
      layout.inputs = largest_magnitude(step.left.load->values, layout.inputs);
      layout.inputs = largest_magnitude(step.right.load->values, layout.inputs);
      layout.sums = largest_magnitude(step.sum->values, layout.sums);
      ++layout.panels;
    }
  return layout;
}

/// One turn of the loop: left factor at the left, right factor above, and where they cross the sum so far.
void product_panel(TileSvg& svg, Place at, const ProductLayout& layout, const ProductStep& step,
                   const BlockStep& store, std::size_t number) {
  const Drawn left = drawn(*step.left.load, step.left.transposed);
  const Drawn right = drawn(*step.right.load, step.right.transposed);
  Drawn sum = drawn(store, false);
  sum.values = step.sum->values;
  svg.text({at.x, at.y}, fmt::format("step {}", number), "w");
  svg.text({at.x, at.y + 15},
           fmt::format("load {}{}", place_of(*step.left.load), step.left.transposed ? " transposed" : ""),
           "t");
  svg.text({at.x, at.y + 30},
           fmt::format("load {}{}", place_of(*step.right.load), step.right.transposed ? " transposed" : ""),
           "t");
  svg.text({at.x, at.y + 45}, fmt::format("sum's first element: {}", short_number(step.sum->values.at(0))),
           "t");
  const Place origin{at.x, at.y + 20};
  svg.text({origin.x + layout.left, origin.y - 4}, size_of(right), "s");
  svg.text({origin.x, origin.y + layout.top - 4}, size_of(left), "s");
  svg.text({origin.x + layout.left, origin.y + layout.top - 4}, size_of(sum), "s");
  draw(svg, {origin.x + layout.left, origin.y}, layout.cell, right, layout.inputs, "tile");
  draw(svg, {origin.x, origin.y + layout.top}, layout.cell, left, layout.inputs, "tile");
  draw(svg, {origin.x + layout.left, origin.y + layout.top}, layout.cell, sum, layout.sums, "sum");
}

/// The maps of every step, `columns` to a row.
constexpr double kCellWidth = 118, kCellHeight = 104;
constexpr std::size_t kColumns = 7;

void step_panel(TileSvg& svg, Place at, const BlockStep& step) {
  const std::size_t columns = step.shape.empty() ? 1 : step.shape.back();
  const std::size_t rows = std::max<std::size_t>(1, step.values.size() / columns);
  const double cell =
      std::clamp(std::min(100.0 / static_cast<double>(columns), 64.0 / static_cast<double>(rows)), 0.5, 10.0);
  svg.text({at.x, at.y}, fmt::format("{} {}", step.id, step.operation), "w");
  svg.text({at.x, at.y + 12},
           step.at.empty() ? fmt::format("{} {}", step.type, fmt::join(step.shape, " x ")) : place_of(step),
           "s");
  const double drawn_cell = std::floor(cell * 10.0) / 10.0;
  svg.heat({at.x, at.y + 17}, drawn_cell, rows, columns, step.values, largest_magnitude(step.values));
  svg.box({at.x, at.y + 17}, drawn_cell * static_cast<double>(columns),
          drawn_cell * static_cast<double>(rows), fmt::format("class='edge' data-step='{}'", step.id));
}

}  // namespace

std::string product_picture(const LoggedBlock& logged) {
  const std::vector<Product> products = products_of(logged.steps);
  const ProductLayout layout = layout_of(products);
  const std::size_t across = std::min<std::size_t>(3, layout.panels);
  const std::size_t rows = (layout.panels + across - 1) / across;
  TileSvg svg(
      std::max(560.0, static_cast<double>(across) * layout.width + 12),
      70 + static_cast<double>(rows) * layout.height,
      fmt::format("{}, {}: {} steps to {} of {}", logged.kernel, block_name(logged.block), layout.panels,
                  products.size() == 1 ? "one tile" : fmt::format("{} tiles", products.size()),
                  products[0].store->tensor));
  svg.text({12, 40},
           "orange frame: the tile loaded in this step; blue frame: the sum that the block owns, after it",
           "s");
  svg.text(
      {12, 53},
      fmt::format(
          "hatched: outside the matrix, loaded as 0, not stored. Blue to red: -{0} to {0} in what is loaded, "
          "-{1} to {1} in the sum",
          short_number(layout.inputs), short_number(layout.sums)),
      "s");
  std::size_t i = 0;
  for (const Product& product : products)
    for (const ProductStep& step : product.steps) {
      const auto column = i % across, row = i / across;
      const Place at{12 + static_cast<double>(column) * layout.width,
                     82 + static_cast<double>(row) * layout.height};
      product_panel(svg, at, layout, step, *product.store, ++i);
    }
  return svg.finish();
}

std::string steps_picture(const LoggedBlock& logged) {
  const std::size_t rows = (logged.steps.size() + kColumns - 1) / kColumns;
  TileSvg svg(24 + kCellWidth * static_cast<double>(kColumns), 60 + kCellHeight * static_cast<double>(rows),
              fmt::format("{}, {}: what each tile holds after each of its {} steps", logged.kernel,
                          block_name(logged.block), logged.steps.size()));
  svg.text({12, 40},
           "colours run from blue over white (0) to red, each map on its own scale; grey is a mask's value",
           "s");
  for (std::size_t i = 0; i < logged.steps.size(); ++i) {
    const auto column = i % kColumns, row = i / kColumns;
    step_panel(svg,
               {12 + kCellWidth * static_cast<double>(column), 62 + kCellHeight * static_cast<double>(row)},
               logged.steps[i]);
  }
  return svg.finish();
}

std::string picture_of(const LoggedBlock& logged) {
  if (logged.kernel.rfind("linear_", 0) == 0) return product_picture(logged);
  if (logged.kernel.rfind("attention_forward", 0) == 0) return attention_picture(logged);
  return steps_picture(logged);
}

}  // namespace ladder
