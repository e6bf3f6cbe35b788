// Changes to a system file's text that leave every other byte as it is.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/spak/system.hpp"

namespace ladder::spak {

/// Entries of a statement in their order: key, value as it is written.
using Written = std::vector<std::pair<std::string, std::string>>;

/// `text` as a string of the language.
std::string written_text(std::string_view text);
/// A value as the language has it: strings quoted, lists and objects within brackets.
std::string written_value(const Json& value);

class Rewriter {
 public:
  /// `system` must outlive this.
  explicit Rewriter(const System& system) : system_(system) {}

  /// Gives a statement's entry another value; adds the entry where it has none.
  void set_entry(const Statement& statement, const std::string& key, const std::string& value);
  /// Adds an entry behind a statement's others.
  void add_entry(const Statement& statement, const std::string& key, const std::string& value);
  /// Adds a statement at the end of `knowledge`, which is made where there is none. head: fact name, rule "title"
  void add_statement(const std::string& head, const Written& entries);

  /// The text with the changes so far.
  std::string text() const;

 private:
  struct Edit {
    std::size_t begin, end;
    std::string text;
  };
  std::size_t line_begin(std::size_t at) const;
  std::string indentation(std::size_t at) const;
  void insert_before_end(const Node& block, const std::string& one_line, const std::string& own_line);

  const System& system_;
  std::vector<Edit> edits_;
  std::string statements_;
};

}  // namespace ladder::spak
