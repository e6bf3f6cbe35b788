#include "stage0_scalar_autograd/expression.hpp"

#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "shared/base/shown.hpp"

namespace ladder::stage0 {
namespace {

constexpr int kMaxDepth = 200;  ///< of nested brackets and signs; keeps the recursion small

constexpr const char* kPlainExponent = "an exponent must be a plain number, without names";

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// An intermediate result: a Value, or a plain number as long as no name is involved. Plain numbers stay off
/// the tape until they meet a Value, just as in the model (x * 2 has one child).
struct Operand {
  std::optional<Value> value;
  double number = 0.0;
  double data() const { return value ? value->data() : number; }
};

template <class F>
Operand apply(const Operand& a, F f) {
  if (a.value) return {f(*a.value), 0.0};
  Tape scratch;  // a function of a plain number: computed as for a Value, then kept as a number
  return {std::nullopt, f(Value::leaf(scratch, a.number)).data()};
}

Operand add(const Operand& a, const Operand& b) {
  if (a.value && b.value) return {*a.value + *b.value, 0.0};
  if (a.value) return {*a.value + b.number, 0.0};
  if (b.value) return {*b.value + a.number, 0.0};
  return {std::nullopt, a.number + b.number};
}

Operand multiply(const Operand& a, const Operand& b) {
  if (a.value && b.value) return {*a.value * *b.value, 0.0};
  if (a.value) return {*a.value * b.number, 0.0};
  if (b.value) return {*b.value * a.number, 0.0};
  return {std::nullopt, a.number * b.number};
}

Operand negate(const Operand& a) {
  return apply(a, [](Value x) { return -x; });
}

Operand power(const Operand& a, double p) {
  return apply(a, [p](Value x) { return pow(x, p); });
}

class Parser {
 public:
  Parser(Tape& tape, std::string_view text, const std::map<std::string, double>& values)
      : tape_(tape), text_(text), values_(values) {}

  Expression run() {
    const Operand result = parse_sum();
    if (peek() != '\0')
      refuse(at_, fmt::format("'{}' is not expected here: an operator (+ - * / ^) or the end is", found()));
    for (const auto& [name, value] : values_)
      require(variables_.contains(name), "a value is given for '{}', which the expression does not use",
              shown(name));
    return {result.value ? *result.value : Value::leaf(tape_, result.number), variables_};
  }

 private:
  /// Positions count bytes, which are characters: the parser stops at the first that is none of ASCII.
  [[noreturn]] static void refuse(std::size_t offset, const std::string& what) {
    throw InputError(fmt::format("position {}: {}", offset + 1, what));
  }
  /// The whole character that stands next.
  std::string found() const { return first_shown(text_.substr(at_)); }
  char peek() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(std::string_view token) {
    peek();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(char c) {
    if (peek() == '\0') refuse(at_, fmt::format("the expression ends where '{}' is expected", c));
    if (peek() != c) refuse(at_, fmt::format("'{}' found where '{}' is expected", found(), c));
    ++at_;
  }
  Operand finite(const Operand& result, std::size_t where, std::string_view what) const {
    if (!std::isfinite(result.data()))
      refuse(where, fmt::format("the result of '{}' is {}, not a finite number", what, result.data()));
    return result;
  }

  Operand parse_sum() {
    Operand left = parse_product();
    for (;;) {
      peek();
      const std::size_t where = at_;
      if (take("+"))
        left = finite(add(left, parse_product()), where, "+");
      else if (take("-"))
        left = finite(add(left, negate(parse_product())), where, "-");
      else
        return left;
    }
  }

  Operand parse_product() {
    Operand left = parse_signed();
    for (;;) {
      peek();
      const std::size_t where = at_;
      if (take("*"))
        left = finite(multiply(left, parse_signed()), where, "*");
      else if (take("/"))
        left = finite(multiply(left, power(parse_signed(), -1.0)), where, "/");
      else
        return left;
    }
  }

  Operand parse_signed() {
    const Nesting nesting(*this);
    return take("-") ? negate(parse_signed()) : parse_power();
  }

  Operand parse_power() {
    const Operand base = parse_atom();
    peek();
    const std::size_t where = at_;
    if (!take("**") && !take("^")) return base;
    return finite(power(base, parse_exponent()), where, "^");
  }

  double parse_exponent() {
    peek();
    const std::size_t where = at_;
    const Operand exponent = parse_signed();
    if (exponent.value) refuse(where, kPlainExponent);
    return exponent.number;
  }

  Operand parse_atom() {
    const char c = peek();
    if (take("(")) {
      const Operand inner = parse_sum();
      expect(')');
      return inner;
    }
    if (is_name_start(c)) return parse_name();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return parse_number();
    if (c == '\0') refuse(at_, "the expression ends where a number, a name or '(' is expected");
    refuse(at_, fmt::format("'{}' found where a number, a name or '(' is expected", found()));
  }

  Operand parse_number() {
    double number = 0.0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
    if (error != std::errc()) refuse(at_, "not a number that a double can hold");
    at_ += static_cast<std::size_t>(end - begin);
    return {std::nullopt, number};
  }

  Operand parse_name() {
    const std::size_t where = at_;
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    if (peek() == '(') return parse_call(name, where);
    const auto given = values_.find(name);
    if (given == values_.end())
      refuse(where, fmt::format("'{}' has no value: add --values {}=NUMBER", shown(name), shown(name)));
    const auto known = variables_.find(name);
    if (known != variables_.end()) return {known->second, 0.0};
    return {variables_.emplace(name, Value::leaf(tape_, given->second)).first->second, 0.0};
  }

  Operand parse_call(const std::string& name, std::size_t where) {
    const bool known = name == "exp" || name == "log" || name == "relu" || name == "pow";
    if (!known)
      refuse(where, fmt::format("there is no function '{}': valid are exp, log, relu, pow", shown(name)));
    expect('(');
    Operand argument = parse_sum();
    if (name == "pow") {
      expect(',');
      argument = power(argument, parse_exponent_sum());
    }
    if (name == "exp") argument = apply(argument, [](Value x) { return exp(x); });
    if (name == "log") argument = apply(argument, [](Value x) { return log(x); });
    if (name == "relu") argument = apply(argument, [](Value x) { return relu(x); });
    expect(')');
    return finite(argument, where, name);
  }

  double parse_exponent_sum() {
    peek();
    const std::size_t where = at_;
    const Operand exponent = parse_sum();
    if (exponent.value) refuse(where, kPlainExponent);
    return exponent.number;
  }

  /// Counts how deep the recursion is.
  struct Nesting {
    explicit Nesting(Parser& owner) : parser(owner) {
      if (++parser.depth_ > kMaxDepth)
        parser.refuse(parser.at_, fmt::format("nested more than {} deep", kMaxDepth));
    }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --parser.depth_; }
    Parser& parser;
  };

  Tape& tape_;
  std::string_view text_;
  const std::map<std::string, double>& values_;
  std::map<std::string, Value> variables_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

}  // namespace

std::map<std::string, double> parse_values(std::string_view text) {
  std::map<std::string, double> values;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    require(equals != std::string_view::npos, "--values: '{}' is not NAME=NUMBER", shown(item));
    const std::string name(trimmed(item.substr(0, equals)));
    const std::string_view number = trimmed(item.substr(equals + 1));
    bool good = !name.empty() && is_name_start(name[0]);
    for (char c : name) good = good && is_name_part(c);
    require(good, "--values: '{}' is not a name: letters, digits and _ are, not beginning with a digit",
            shown(name));
    double value = 0.0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    require(error == std::errc() && end == number.data() + number.size() && std::isfinite(value),
            "--values: '{}' is not a finite number (value of '{}')", shown(number), shown(name));
    require(values.emplace(name, value).second, "--values: '{}' is given twice", shown(name));
  }
  return values;
}

Expression parse_expression(Tape& tape, std::string_view text, const std::map<std::string, double>& values) {
  return Parser(tape, text, values).run();
}

}  // namespace ladder::stage0
