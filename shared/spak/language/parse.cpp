#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/utf8.hpp"
#include "shared/spak/language/expression_tree.hpp"
#include "shared/spak/language/grammar.hpp"
#include "shared/spak/language/syntax.hpp"

namespace ladder::spak {

namespace {

namespace g = grammar;

// ---- which rules become nodes ----

/// The node that a rule makes; a rule of none leaves its children to its parent.
template <class Rule>
inline constexpr bool makes_node = false;
template <class Rule>
inline constexpr NodeKind kind_of = NodeKind::file;
/// A level of an expression with one operand is that operand.
template <class Rule>
inline constexpr bool stands_for_its_child = false;

#define LADDER_NODE(rule, kind)                     \
  template <>                                       \
  inline constexpr bool makes_node<g::rule> = true; \
  template <>                                       \
  inline constexpr NodeKind kind_of<g::rule> = NodeKind::kind
#define LADDER_LEVEL(rule, kind) \
  LADDER_NODE(rule, kind);       \
  template <>                    \
  inline constexpr bool stands_for_its_child<g::rule> = true

LADDER_NODE(file, file);
LADDER_NODE(front_entry, front_entry);
LADDER_NODE(front_key, word);
LADDER_NODE(front_rest, front_rest);
LADDER_NODE(system, system);
LADDER_NODE(block, block);
LADDER_NODE(plain_entry, entry);
LADDER_NODE(return_entry, returned);
LADDER_NODE(value, value);
LADDER_NODE(joint, joint);
LADDER_NODE(word, word);
LADDER_NODE(number, number);
LADDER_NODE(text, text);
LADDER_NODE(list, list);
LADDER_NODE(call, call);
LADDER_NODE(raw_arguments, raw_arguments);
LADDER_LEVEL(expression, choice);
LADDER_LEVEL(disjunction, either);
LADDER_LEVEL(conjunction, both);
LADDER_LEVEL(comparison, relation);
LADDER_LEVEL(sum, sum);
LADDER_LEVEL(product, product);
LADDER_LEVEL(unary, unary);
LADDER_NODE(relation, operation);
LADDER_NODE(plus_minus, operation);
LADDER_NODE(times, operation);
LADDER_NODE(minus, operation);
LADDER_NODE(negation, operation);
LADDER_NODE(name, name);
LADDER_NODE(count, count);
LADDER_NODE(application, application);
LADDER_NODE(assignment, assignment);
#undef LADDER_LEVEL
#undef LADDER_NODE

/// Blocks, lists and parentheses within each other are what the parser's own stack is spent on: with what they begin.
template <class Rule>
inline constexpr std::string_view opening = "";
template <>
inline constexpr std::string_view opening<g::block> = "{";
template <>
inline constexpr std::string_view opening<g::list> = "[";
template <>
inline constexpr std::string_view opening<g::raw_inner> = "(";
template <>
inline constexpr std::string_view opening<g::group> = "(";
template <>
inline constexpr std::string_view opening<g::argument_list> = "(";
template <>
inline constexpr std::string_view opening<g::unary> = "-!";
template <class Rule>
inline constexpr bool nests = !opening<Rule>.empty();

// ---- what is said where something else was expected ----

struct Expected {
  template <class Rule>
  static constexpr const char* message = nullptr;
  template <class Rule>
  static constexpr bool raise_on_failure = false;
};
#define LADDER_EXPECTED(rule, text) \
  template <>                       \
  constexpr const char* Expected::message<g::rule> = text
LADDER_EXPECTED(in_triple, "\"\"\" at the end of this string");
LADDER_EXPECTED(double_end, "\" at the end of this string (one of several lines stands between \"\"\")");
LADDER_EXPECTED(single_end, "' at the end of this string (one of several lines stands between \"\"\")");
LADDER_EXPECTED(close_list, "a value, or ] at the end of this list");
LADDER_EXPECTED(close_block, "an entry, or } at the end of this block");
LADDER_EXPECTED(close_arguments, ") on the same line");
LADDER_EXPECTED(single, "another value");
LADDER_EXPECTED(value, "a value: a string, a number, a word, [a list] or {an object}");
LADDER_EXPECTED(close_group, "an operator, or )");
LADDER_EXPECTED(expression, "an expression: a name, a number, a string or (");
LADDER_EXPECTED(disjunction, "a condition");
LADDER_EXPECTED(conjunction, "a condition on the other side");
LADDER_EXPECTED(comparison, "a condition on the other side");
LADDER_EXPECTED(sum, "something to compare with");
LADDER_EXPECTED(product, "an operand on the other side");
LADDER_EXPECTED(unary, "an operand");
LADDER_EXPECTED(else_word, "else");
LADDER_EXPECTED(front_colon, "a colon: `key: value`");
LADDER_EXPECTED(front_line_end, "`key: value`, or --- at the end of the front matter");
LADDER_EXPECTED(system_word, "`system NAME {`");
LADDER_EXPECTED(system_name, "the system's name");
LADDER_EXPECTED(block, "{ and the system's sections");
LADDER_EXPECTED(system, "`system NAME {`");
LADDER_EXPECTED(end_of_file, "nothing more");
LADDER_EXPECTED(eof, "nothing more");
#undef LADDER_EXPECTED

// ---- building ----

/// Nodes that are begun and not ended, the file first.
struct Builder {
  const char* start;
  std::vector<Node> open;
  int depth = 0;
};

template <class Rule>
struct Build : g::normal<Rule> {
  template <class Input>
  static void start(const Input& in, Builder& builder) {
    if constexpr (nests<Rule>)
      if (++builder.depth > kDeepestNesting && !in.empty() &&
          opening<Rule>.find(in.peek_char()) != std::string_view::npos)
        throw g::parse_error(fmt::format("no more than {} of {{, [ and ( within each other", kDeepestNesting),
                             in);
    if constexpr (makes_node<Rule>)
      builder.open.push_back(
          {kind_of<Rule>, static_cast<std::uint32_t>(in.current() - builder.start), 0, {}});
  }
  template <class Input>
  static void success(const Input& in, Builder& builder) {
    if constexpr (nests<Rule>) --builder.depth;
    if constexpr (makes_node<Rule>) {
      Node node = std::move(builder.open.back());
      builder.open.pop_back();
      if (stands_for_its_child<Rule> && node.children.size() == 1) {
        Node child = std::move(node.children[0]);
        node = std::move(child);
      } else
        node.end = static_cast<std::uint32_t>(in.current() - builder.start);
      builder.open.back().children.push_back(std::move(node));
    }
  }
  template <class Input>
  static void failure(const Input&, Builder& builder) {
    if constexpr (nests<Rule>) --builder.depth;
    if constexpr (makes_node<Rule>) builder.open.pop_back();
  }
};

template <class Rule>
using Control = g::must_if<Expected, Build, false>::control<Rule>;

/// What stands where something else was expected, as a message names it.
std::string found_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return "the end of the text";
  if (text[at] == '\n' || text.substr(at).starts_with("\r\n")) return "the end of the line";
  return fmt::format("'{}'", first_shown(text.substr(at)));
}

/// The begin of the innermost node of one of the kinds that is still open, for "which begins in line ...".
std::string opened(const std::vector<Node>& open, std::string_view text) {
  for (auto node = open.rbegin(); node != open.rend(); ++node)
    if (node->kind == NodeKind::block || node->kind == NodeKind::list || node->kind == NodeKind::text)
      return fmt::format("; it begins in line {}", place_in(text, node->begin).line);
  return "";
}

bool ends_something(std::string_view message) {
  return message.find("at the end of this") != std::string_view::npos;
}

/// The tree of `text` by the rule Whole. Throws InputError "NAME:LINE:COLUMN: expected ...".
template <class Whole>
Node tree_of(std::string_view text, std::string_view name) {
  g::memory_input<g::tracking_mode::lazy> in(text.data(), text.data() + text.size(), "");
  Builder builder{text.data(), {}};
  builder.open.push_back({NodeKind::file, 0, static_cast<std::uint32_t>(text.size()), {}});
  try {
    g::parse<Whole, g::nothing, Control>(in, builder);
  } catch (const g::parse_error& error) {
    const std::size_t at = error.positions().front().byte;
    const Place place = place_in(text, at);
    const std::string message(error.message());
    throw InputError(fmt::format("{}:{}:{}: expected {}, found {}{}", name, place.line, place.column, message,
                                 found_at(text, at),
                                 ends_something(message) ? opened(builder.open, text) : ""));
  }
  return std::move(builder.open.front());
}

}  // namespace

Place place_in(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::size_t line_start = before.rfind('\n') + 1;  // 0 in the first line: npos + 1
  const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  const std::string_view line = before.substr(line_start);
  return {static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<std::size_t>(std::count_if(line.begin(), line.end(), starts_character)) + 1};
}

Document Document::parse(std::string text, std::string name) {
  require(text.size() <= kLongestSystem, "{}: a system file of {} bytes: more than {} are not read",
          shown(name), text.size(), kLongestSystem);
  if (const std::size_t valid = valid_utf8_length(text); valid < text.size()) {
    const Place place = place_in(text, valid);
    throw InputError(fmt::format("{}:{}:{}: a byte that is no UTF-8", shown(name), place.line, place.column));
  }
  Document document;
  document.root_ = std::move(tree_of<g::file>(text, shown(name).str()).children.front());
  document.name_ = std::move(name);
  document.text_ = std::move(text);
  return document;
}

Document Document::read(const std::filesystem::path& path) {
  return parse(read_file(path, kLongestSystem), path.string());
}

Node expression_tree(std::string_view text, std::string_view name) {
  return std::move(tree_of<g::whole_expression>(text, name).children.front());
}

std::vector<Node> assignment_trees(std::string_view text) {
  return std::move(tree_of<g::assignments>(text, "").children);
}

}  // namespace ladder::spak
