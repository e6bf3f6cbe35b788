#include "shared/spak/language/expression.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"
#include "shared/spak/language/expression_tree.hpp"

namespace ladder::spak {

Outcome missing(std::string_view name) { return {std::nullopt, {std::string(name)}, ""}; }
Outcome known(Json value) { return {std::move(value), {}, ""}; }

namespace {

template <class... Args>
Outcome failed(fmt::format_string<Args...> message, Args&&... args) {
  return {std::nullopt, {}, fmt::format(message, std::forward<Args>(args)...)};
}

/// What two operands lack together.
Outcome lacking(const Outcome& a, const Outcome& b) {
  Outcome both{std::nullopt, a.missing, a.error.empty() ? b.error : a.error};
  for (const std::string& name : b.missing)
    if (std::find(both.missing.begin(), both.missing.end(), name) == both.missing.end())
      both.missing.push_back(name);
  return both;
}

bool is_boolean(const Json& value) { return value.kind() == Json::Kind::boolean; }

std::string described(const Json& value) {
  if (value.is_number()) return fmt::format("the number {}", value.dump());
  if (is_boolean(value)) return value.dump();
  if (value.is_string()) return fmt::format("the string '{}'", shown(value.get<std::string>()));
  return "a list or an object";
}

Outcome compared(std::string_view relation, const Json& a, const Json& b) {
  const bool numbers = a.is_number() && b.is_number();
  const bool alike = numbers || a.kind() == b.kind();
  if (!alike) return failed("{} compared with {}", described(a), described(b));
  if (relation == "==") return known(a == b);
  if (relation == "!=") return known(!(a == b));
  if (!numbers)
    return failed("'{}' between {} and {}: only numbers have an order", relation, described(a), described(b));
  const double x = a.get<double>(), y = b.get<double>();
  return known(relation == "<" ? x < y : relation == "<=" ? x <= y : relation == ">" ? x > y : x >= y);
}

/// A result that is a whole number stays one, so that it is printed and compared as such.
Outcome number(double value) {
  if (!std::isfinite(value)) return failed("a result that is no finite number");
  if (value == std::floor(value) && std::abs(value) < 9e15) return known(static_cast<std::int64_t>(value));
  return known(value);
}

Outcome calculated(std::string_view operation, const Json& a, const Json& b) {
  if (operation == "+" && a.is_string() && b.is_string())
    return known(a.get<std::string>() + b.get<std::string>());
  if (!a.is_number() || !b.is_number())
    return failed("'{}' between {} and {}", operation, described(a), described(b));
  const double x = a.get<double>(), y = b.get<double>();
  if (operation == "+") return number(x + y);
  if (operation == "-") return number(x - y);
  if (operation == "*") return number(x * y);
  if (y == 0) return failed("'{}' by 0", operation);
  return number(operation == "/" ? x / y : std::fmod(x, y));
}

Outcome applied(std::string_view function, const std::vector<Json>& arguments) {
  std::vector<double> x;
  for (const Json& argument : arguments) {
    if (!argument.is_number()) return failed("{}() of {}", function, described(argument));
    x.push_back(argument.get<double>());
  }
  if (x.empty()) return failed("{}() of nothing", function);
  if (function == "min") return number(*std::min_element(x.begin(), x.end()));
  if (function == "max") return number(*std::max_element(x.begin(), x.end()));
  if (x.size() != 1) return failed("{}() of {} numbers", function, x.size());
  if (function == "abs") return number(std::abs(x[0]));
  if (function == "floor") return number(std::floor(x[0]));
  if (function == "ceil") return number(std::ceil(x[0]));
  return number(std::log2(x[0]));
}

bool is_function(std::string_view name) {
  for (const char* function : {"min", "max", "abs", "floor", "ceil", "log2"})
    if (name == function) return true;
  return false;
}

/// One walk through an expression's tree.
class Evaluation {
 public:
  Evaluation(std::string_view text, const Names& names) : text_(text), names_(names) {}

  Outcome of(const Node& node) const {
    switch (node.kind) {
      case NodeKind::choice:
        return choice(node);
      case NodeKind::either:
        return logical(node, true);
      case NodeKind::both:
        return logical(node, false);
      case NodeKind::relation: {
        return binary(of(node.children[0]), node.children[1], of(node.children[2]), compared);
      }
      case NodeKind::sum:
      case NodeKind::product: {
        Outcome result = of(node.children[0]);
        for (std::size_t i = 1; i + 1 < node.children.size(); i += 2)
          result = binary(result, node.children[i], of(node.children[i + 1]), calculated);
        return result;
      }
      case NodeKind::unary:
        return unary(node);
      case NodeKind::name:
        return name(node);
      case NodeKind::application:
        return application(node);
      default:
        return literal(node);
    }
  }

 private:
  std::string_view text(const Node& node) const { return text_.substr(node.begin, node.end - node.begin); }

  template <class Operation>
  Outcome binary(const Outcome& a, const Node& operation, const Outcome& b, Operation calculate) const {
    return a.value && b.value ? calculate(text(operation), *a.value, *b.value) : lacking(a, b);
  }

  /// A condition's truth; an error for what is neither true nor false.
  Outcome condition(const Node& node) const {
    Outcome outcome = of(node);
    if (outcome.value && !is_boolean(*outcome.value))
      return failed("{} as a condition", described(*outcome.value));
    return outcome;
  }

  /// `||` is decided by the first operand that is true, `&&` by the first that is false.
  Outcome logical(const Node& node, bool decides) const {
    Outcome undecided = known(!decides);
    for (const Node& child : node.children) {
      Outcome outcome = condition(child);
      if (outcome.is(decides)) return outcome;
      if (!outcome.value) undecided = lacking(undecided.value ? Outcome{} : undecided, outcome);
    }
    return undecided;
  }

  Outcome choice(const Node& node) const {
    Outcome decided = condition(node.children[1]);
    if (!decided.value) return decided;
    return of(node.children[decided.is(true) ? 0 : 2]);
  }

  Outcome unary(const Node& node) const {
    const bool negation = text(node.children[0]) == "!";
    Outcome operand = negation ? condition(node.children[1]) : of(node.children[1]);
    if (!operand.value) return operand;
    if (negation) return known(!operand.value->get<bool>());
    return calculated("-", Json(0), *operand.value);
  }

  Outcome name(const Node& node) const {
    const std::string_view written = text(node);
    if (written == "true" || written == "false") return known(written == "true");
    return names_.name(written);
  }

  Outcome application(const Node& node) const {
    const std::string_view function = text(node.children[0]);
    if (is_function(function)) {
      std::vector<Json> arguments;
      Outcome lacks;
      for (std::size_t i = 1; i < node.children.size(); ++i) {
        const Outcome argument = of(node.children[i]);
        if (argument.value)
          arguments.push_back(*argument.value);
        else
          lacks = lacking(lacks, argument);
      }
      return arguments.size() + 1 == node.children.size() ? applied(function, arguments) : lacks;
    }
    if (!names_.application) return missing(function);
    std::vector<std::string> arguments;
    for (std::size_t i = 1; i < node.children.size(); ++i) arguments.emplace_back(text(node.children[i]));
    return names_.application(function, arguments);
  }

  Outcome literal(const Node& node) const {
    const std::string_view written = text(node);
    if (node.kind == NodeKind::text) return known(unquoted(written));
    double value = 0;
    std::from_chars(written.begin(), written.end(), value);
    return number(value);
  }

  std::string_view text_;
  const Names& names_;
};

void collect_names(std::string_view text, const Node& node, std::vector<std::string>& names) {
  const std::string_view written = text.substr(node.begin, node.end - node.begin);
  if (node.kind == NodeKind::name && written != "true" && written != "false" && !is_function(written) &&
      std::find(names.begin(), names.end(), written) == names.end())
    names.emplace_back(written);
  for (const Node& child : node.children) collect_names(text, child, names);
}

Node moved_by(const Node& node, std::uint32_t offset) {
  Node moved{node.kind, node.begin - offset, node.end - offset, {}};
  for (const Node& child : node.children) moved.children.push_back(moved_by(child, offset));
  return moved;
}

}  // namespace

Expression::Expression(std::string_view text, const Node& node)
    : text_(text.substr(node.begin, node.end - node.begin)),
      root_(std::make_shared<const Node>(moved_by(node, node.begin))) {}

Expression Expression::parse(std::string_view text, std::string_view where) {
  return {text, expression_tree(text, where)};
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> names;
  collect_names(text_, *root_, names);
  return names;
}

Outcome Expression::evaluate(const Names& names) const { return Evaluation(text_, names).of(*root_); }

std::vector<Assignment> assignments_in(const std::string& text) {
  std::vector<Assignment> assignments;
  try {
    for (const Node& node : assignment_trees(text))
      assignments.push_back(
          {text.substr(node.children[0].begin, node.children[0].end - node.children[0].begin),
           Expression(text, node.children[1])});
  } catch (const InputError&) {
    return {};
  }
  return assignments;
}

std::optional<Expression> expression_in(const std::string& text) {
  try {
    return Expression::parse(text, "");
  } catch (const InputError&) {
    return std::nullopt;
  }
}

}  // namespace ladder::spak
