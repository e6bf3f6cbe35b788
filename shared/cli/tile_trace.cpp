// ladder tile-trace: one block of one of stage 3's kernels, step by step, on the CPU tile model.
#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/tile/pictures/flow.hpp"
#include "shared/tile/pictures/picture.hpp"
#include "shared/tile/pictures/tile_svg.hpp"
#include "stage3_tiled_kernels/pictures/logged_kernels.hpp"

namespace ladder::cli {
namespace {

struct TileTraceFlags {
  std::string kernel, dtype = "fp32", picture = "auto", json, output;
  std::map<std::string, std::optional<int>> sizes;
  std::vector<int> block;
  std::optional<int> query;
  bool all_keys = false, brief = false;
};

constexpr std::size_t kShownValues = 4;

/// "40: mma fp32 16x16 of 37, 39, 1" in columns.
std::vector<std::string> row_of(const BlockStep& step) {
  std::string values, from;
  for (std::size_t i = 0; i < std::min(step.values.size(), kShownValues); ++i)
    values += (i == 0 ? "" : " ") + short_number(step.values[i]);
  if (step.values.size() > kShownValues) values += " ...";
  for (std::uint32_t operand : step.from)
    from += (from.empty() ? "" : ", ") + (operand == 0 ? "-" : std::to_string(operand));
  std::string what;
  if (!step.at.empty())
    what = fmt::format("{} ({}) of {}", step.tensor.empty() ? "tensor" : step.tensor,
                       fmt::join(step.at, ", "), fmt::join(step.extents, " x "));
  const std::string shape = step.shape.empty() ? "1" : fmt::format("{}", fmt::join(step.shape, " x "));
  return {std::to_string(step.id), step.operation, step.type, shape, from, what, values};
}

std::string all_steps(const LoggedBlock& logged) {
  std::vector<std::vector<std::string>> rows = {
      {"step", "operation", "type", "shape", "of steps", "tile", "first values"}};
  for (const BlockStep& step : logged.steps) rows.push_back(row_of(step));
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i == 0 ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("  {:<{}}", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

/// The loop of a product: what each turn loads, and how one element of the sum grows.
std::string product_text(const LoggedBlock& logged) {
  std::vector<std::vector<std::string>> rows = {
      {"turn", "left factor", "right factor", "sum[0, 0]", "sum[0, 1]"}};
  const auto name = [](const LoadedTile& tile) {
    return fmt::format("{} ({}){}", tile.load->tensor, fmt::join(tile.load->at, ", "),
                       tile.transposed ? " transposed" : "");
  };
  for (const Product& product : products_of(logged.steps)) {
    for (std::size_t i = 0; i < product.steps.size(); ++i) {
      const ProductStep& step = product.steps[i];
      rows.push_back({std::to_string(i + 1), name(step.left), name(step.right),
                      short_number(step.sum->values.at(0)), short_number(step.sum->values.at(1))});
    }
    const BlockStep& store = *product.store;
    rows.push_back({"store", fmt::format("{} ({})", store.tensor, fmt::join(store.at, ", ")), "",
                    short_number(store.values.at(0)), short_number(store.values.at(1))});
  }
  return text_table(rows);
}

/// The query whose maximum rises most often: it shows most.
std::size_t telling_query(const AttentionWalk& walk) {
  std::size_t best = 0, most = 0;
  for (std::size_t r = 0; r < walk.queries.load->shape[0]; ++r) {
    std::size_t rises = 0;
    for (const KeyStep& key : walk.keys) rises += key.shrink->values.at(r) < 1.0 ? 1 : 0;
    if (rises > most) {
      most = rises;
      best = r;
    }
  }
  return best;
}

/// A query's scores against a tile of keys in powers of two, found again from what the kernel made of them.
std::vector<double> scores_of(const KeyStep& key, std::size_t row) {
  std::vector<double> scores;
  const std::size_t columns = key.powers->shape[1];
  for (std::size_t j = 0; j < columns; ++j)
    scores.push_back(std::log2(key.powers->values.at(row * columns + j)) + key.largest->values.at(row));
  return scores;
}

double largest_of(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

double sum_of_powers(const std::vector<double>& scores, double largest) {
  double sum = 0.0;
  for (double score : scores) sum += std::exp2(score - largest);
  return sum;
}

/// Four decimals, so that a reader's own multiplication comes out.
std::string exact(double value) { return short_number(value, 4); }

/// In words what a tile of keys did to a query's maximum and sum.
std::string turn_text(const AttentionWalk& walk, std::size_t i, std::size_t row) {
  const KeyStep& key = walk.keys[i];
  const double m = key.largest->values.at(row), l = key.sum->values.at(row);
  const std::string start = fmt::format("keys {}: ", key.keys.load->at[0]);
  if (i == 0) return fmt::format("{}nothing came before: m = {}, l = {}\n", start, exact(m), exact(l));
  const double before = walk.keys[i - 1].largest->values.at(row), sum = walk.keys[i - 1].sum->values.at(row);
  const double added = sum_of_powers(scores_of(key, row), m), shrink = key.shrink->values.at(row);
  const std::string what = m > before
                               ? fmt::format("m rises from {} to {}, shrink = 2^({} - {}) = {}",
                                             exact(before), exact(m), exact(before), exact(m), exact(shrink))
                               : fmt::format("m stays {}, shrink = {}", exact(m), exact(shrink));
  return fmt::format("{}{}, l = {} * {} + {} = {}\n", start, what, exact(sum), exact(shrink), exact(added),
                     exact(l));
}

/// The running softmax of one query, and the same in one pass over all its scores.
std::string softmax_text(const AttentionWalk& walk, std::size_t row) {
  std::vector<std::vector<std::string>> rows = {
      {"tile of keys", "", "its largest s", "m", "shrink", "its sum of 2^(s-m)", "l"}};
  std::vector<double> all;
  std::string turns;
  for (std::size_t i = 0; i < walk.keys.size(); ++i) {
    const KeyStep& key = walk.keys[i];
    const std::vector<double> scores = scores_of(key, row);
    all.insert(all.end(), scores.begin(), scores.end());
    const double m = key.largest->values.at(row);
    rows.push_back({fmt::format("keys {}", key.keys.load->at[0]), key.masked ? "masked" : "whole",
                    exact(largest_of(scores)), exact(m), exact(key.shrink->values.at(row)),
                    exact(sum_of_powers(scores, m)), exact(key.sum->values.at(row))});
    turns += turn_text(walk, i, row);
  }
  const double m = largest_of(all), sum = sum_of_powers(all, m);
  rows.push_back({"all at once", "", exact(m), exact(m), "", exact(sum), exact(sum)});
  return text_table(rows) + "\n" + turns;
}

std::string attention_text(const LoggedBlock& logged, const std::optional<int>& query) {
  const AttentionWalk walk = attention_of(logged.steps);
  const BlockStep& q = *walk.queries.load;
  const int first = static_cast<int>(q.at[0]) * static_cast<int>(q.shape[0]);
  const int end = std::min(first + static_cast<int>(q.shape[0]), static_cast<int>(q.extents[0]));
  require(!query || (*query >= first && *query < end), "--query {}: this block has the queries {} to {}",
          query.value_or(0), first, end - 1);
  const std::size_t row = query ? static_cast<std::size_t>(*query - first) : telling_query(walk);
  std::string text =
      fmt::format("queries {} to {} of {}. Query {}, s its scores times log2(e), so that 2^s = e^score:\n",
                  first, end - 1, q.extents[0], first + static_cast<int>(row));
  text += softmax_text(walk, row);
  return text + fmt::format("log-sum-exp = (m + log2 l) ln 2 = {}\n", exact(walk.stored_lse->values.at(row)));
}

std::string picture_text(const LoggedBlock& logged, const std::string& kind) {
  return kind == "steps" ? steps_picture(logged) : picture_of(logged);
}

void run_tile_trace(const TileTraceFlags& flags) {
  require_svg(flags.output);
  require_outputs({}, {flags.json, flags.output}, {});
  LogRequest request{flags.kernel, {}, parse_dtype(flags.dtype), !flags.all_keys, {}};
  for (const auto& [name, value] : flags.sizes)
    if (value) request.sizes[name] = *value;
  if (!flags.block.empty()) {
    require(flags.block.size() <= 3, "--block has {} numbers: it is x, or x,y,z", flags.block.size());
    std::array<unsigned, 3> id = {0, 0, 0};
    for (std::size_t i = 0; i < flags.block.size(); ++i) {
      require(flags.block[i] >= 0, "--block: {} is negative", flags.block[i]);
      id[i] = static_cast<unsigned>(flags.block[i]);
    }
    request.block = tile::Index{id[0], id[1], id[2]};
  }
  const bool attention = flags.kernel == "attention";
  require(attention || !flags.query, "--query belongs to attention, not to {}", flags.kernel);

  const LoggedBlock logged = log_block(request);
  std::string text = fmt::format("{} in {}, block ({}, {}, {}) of {} x {} x {}: {} steps\n", logged.kernel,
                                 flags.dtype, logged.block.x, logged.block.y, logged.block.z, logged.grid.x,
                                 logged.grid.y, logged.grid.z, logged.steps.size());
  if (logged.kernel.rfind("linear_", 0) == 0) text += "\n" + product_text(logged);
  if (attention) text += "\n" + attention_text(logged, flags.query);
  if (!flags.brief) text += "\n" + all_steps(logged);
  fmt::print("{}", text);
  Outputs outputs;
  outputs.write(flags.json, [&] { return logged.json + "\n"; });
  if (!flags.output.empty())
    outputs.try_to([&] {
      write_file(flags.output, picture_text(logged, flags.picture));
      fmt::print("\ndrawn in {}\n", escaped_name(flags.output));
    });
  outputs.finish();
}

}  // namespace

void add_tile_trace(CLI::App& app) {
  const auto flags = std::make_shared<TileTraceFlags>();
  std::vector<std::string> names;
  std::map<std::string, std::string> owners;
  for (const LoggedKernel& kernel : logged_kernels()) {
    names.emplace_back(kernel.name);
    for (const KernelSize& size : kernel.sizes)
      owners[size.name] +=
          fmt::format("{}{}: {}", owners[size.name].empty() ? "" : ", ", kernel.name, size.usual);
  }
  add_choice(app, "kernel", flags->kernel, names, "the kernel to follow").required();
  for (const auto& [name, usual] : owners)
    add_number(app, "--" + name, flags->sizes[name], "size of the input (" + usual + ")");
  add_choice(app, "--dtype", flags->dtype, dtype_names(), "element type (default fp32)");
  add_numbers(app, "--block", flags->block,
              "the block to follow, counted from 0 (default: one that shows most)")
      .type("X,Y,Z");
  add_switch(app, "--all-keys", flags->all_keys, "attention: queries see the keys behind them, too");
  add_number(app, "--query", flags->query, "attention: the query whose softmax is printed");
  add_switch(app, "--brief", flags->brief, "print the loop, not every step");
  add_choice(app, "--picture", flags->picture, {"auto", "steps"},
             "what -o draws: what suits the kernel, or every step as a map of its values");
  add_text(app, "--json", flags->json, "write every step with all its values to this file").type("FILE");
  add_text(app, "-o,--output", flags->output, "draw the steps in this SVG file").type("FILE");
  set_action(app, [flags] { run_tile_trace(*flags); });
}

}  // namespace ladder::cli
