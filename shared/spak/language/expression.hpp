// Expressions of system files: conditions of rules, predicates, invariants, recommended values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/spak/language/syntax.hpp"

namespace ladder::spak {

/// What became of an expression: a value (number, string or boolean), or nothing, because names in it have no value
/// (`missing`, each once), or because it makes no sense (`error`), such as a number compared with a string.
struct Outcome {
  std::optional<Json> value;
  std::vector<std::string> missing;
  std::string error;

  bool is(bool wanted) const {
    return value && value->kind() == Json::Kind::boolean && value->get<bool>() == wanted;
  }
};

/// Gives names ("num_heads", "t.speedup") and applications of predicates ("is_slow(t)": the name, then the arguments as
/// they are written) their values. A missing name gives an Outcome that says so; missing(name) makes one.
struct Names {
  std::function<Outcome(std::string_view name)> name;
  std::function<Outcome(std::string_view predicate, const std::vector<std::string>& arguments)> application =
      {};
};
Outcome missing(std::string_view name);
Outcome known(Json value);

class Expression {
 public:
  /// The expression at a node of the tree of `text`.
  Expression(std::string_view text, const Node& node);
  /// Throws InputError "WHERE:LINE:COLUMN: expected ..." where `text` is no expression.
  static Expression parse(std::string_view text, std::string_view where);

  const std::string& text() const { return text_; }
  /// Names that it asks for, each once, in their order; predicates among them.
  std::vector<std::string> names() const;

  /// `&&` and `||` need only as many operands as decide them: false && x is false whatever x is, also where x has no
  /// value. `%` is the remainder with the dividend's sign; functions are min, max, abs, floor, ceil and log2.
  Outcome evaluate(const Names& names) const;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;  ///< of text_; expressions are copied with the facts that hold them
};

/// `text` as an expression, nothing where it is prose.
std::optional<Expression> expression_in(const std::string& text);

/// One of what a `recommend` says: axis = value.
struct Assignment {
  std::string axis;
  Expression value;
};
/// "tile_m = 64, tile_n = 64 as initial guess": the assignments that the text begins with; none where it is prose.
std::vector<Assignment> assignments_in(const std::string& text);

}  // namespace ladder::spak
