// ladder graph: draws the autograd graph of an expression, or of one attention head, with stage 0's tape.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/json.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/graphviz.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/records/machine.hpp"
#include "stage0_scalar_autograd/expression.hpp"
#include "stage0_scalar_autograd/graph.hpp"

namespace ladder::cli {
namespace {

struct GraphOptions {
  std::string expression, values, output = "graph.svg", json;
  bool spelled_out = false;
};

/// Whether `text` is a number that a double holds only as 0, though it is not.
bool is_too_small(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  double value = 0.0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc::result_out_of_range)
    return false;
  return std::abs(std::strtod(std::string(text).c_str(), nullptr)) < 1.0;
}

/// The text of --values as parse_values() wants it: one NAME=NUMBER between commas, the number without a plus sign. What it
/// would only call "not finite" is told here.
std::string plain_values(const std::string& text) {
  std::string plain;
  for (std::size_t at = 0; !text.empty() && at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    std::string item = text.substr(at, end - at);
    at = end + 1;
    require(item.find_first_not_of(" \t") != std::string::npos,
            "--values: nothing stands between two commas or at an end of '{}': write NAME=NUMBER,NAME=NUMBER",
            shown(text));
    const std::size_t number = item.find_first_not_of(" \t", item.find('=') + 1);
    if (number != std::string::npos && item[number] == '+' && item.find('=') != std::string::npos &&
        number + 1 < item.size() && item[number + 1] != '-')
      item.erase(number, 1);
    require(!is_too_small(item.substr(item.find('=') + 1)),
            "--values: '{}' is nearer to 0 than a double can be: write 0", shown(item));
    plain += (plain.empty() ? "" : ",") + item;
  }
  return plain;
}

/// What stage 0 says of numbers, where the sign of one that is none means nothing: "nan" for "-nan".
std::string with_plain_nan(std::string text) {
  for (std::size_t at = 0; (at = text.find("-nan", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

stage0::Expression parsed(stage0::Tape& tape, const GraphOptions& options) {
  try {
    return stage0::parse_expression(tape, options.expression,
                                    stage0::parse_values(plain_values(options.values)));
  } catch (const InputError& error) {
    throw InputError(with_plain_nan(error.what()));
  }
}

Json report(const stage0::Value& root, const std::map<std::string, stage0::Value>& named) {
  fmt::print("root: data {}\n", root.data());
  Json result = {{"data", root.data()}, {"values", Json::object()}};
  for (const auto& [name, value] : named) {
    const double grad = printable(value.grad());
    fmt::print("{}: data {}, grad {}{}\n", name, value.data(), grad,
               std::isfinite(grad) ? "" : ", which is not finite");
    result["values"][name] = {{"data", value.data()}, {"grad", number_or_text(value.grad())}};
  }
  return result;
}

void run_graph(const GraphOptions& options) {
  require_picture_name(options.output);
  require_outputs({}, {options.output, options.json, dot_instead_of(options.output).string()}, {});
  stage0::Tape tape(options.spelled_out ? stage0::Sums::spelled_out : stage0::Sums::fused);
  stage0::Names names;
  Json numbers;
  if (options.expression.empty()) {
    require(options.values.empty(), "--values needs an expression");
    const auto [root, example_names] = stage0::attention_example(tape);
    fmt::print("one attention head of width 2, one token that attends to the one before it and to itself\n");
    numbers = report(root, {});
    names = example_names;
  } else {
    const stage0::Expression expression = parsed(tape, options);
    expression.root.backward();
    for (const auto& [name, value] : expression.variables) names[value.id()] = name;
    numbers = report(expression.root, expression.variables);
  }
  Outputs outputs;
  outputs.try_to([&] { write_picture(options.output, with_plain_nan(stage0::to_dot(tape, names))); });
  outputs.write_json(options.json, [&] { return numbers; });
  outputs.finish();
}

}  // namespace

void add_graph(CLI::App& app) {
  const auto options = std::make_shared<GraphOptions>();
  add_text(app, "expression", options->expression,
           "such as \"relu(a*b + c)\": + - * / ^, exp log relu pow; without it, one attention head is drawn");
  add_text(app, "--values", options->values, "the data of each name, such as a=2,b=-1,c=0.5");
  add_text(app, "-o,--output", options->output, "picture: .svg, or Graphviz's text: .dot or .gv")
      .shows_default();
  add_switch(app, "--spelled-out", options->spelled_out,
             "draw each sum as its chain of additions and products");
  add_text(app, "--json", options->json,
           "write data and gradients to this file; a gradient that is not finite as text: \"inf\"");
  set_action(app, [options] { run_graph(*options); });
}

}  // namespace ladder::cli
