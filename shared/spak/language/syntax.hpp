// A system file as a tree that forgets nothing: every node knows its place in the text, and what lies between nodes is
// blanks, separators and comments. So a file is rewritten by changing its text at a node, and all else stays to the byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"

namespace ladder::spak {

enum class NodeKind : std::uint8_t {
  file,         ///< front entries, then the system
  front_entry,  ///< word, rest of the line
  front_rest,   ///< the value of a front entry, as it is
  system,       ///< name, block
  block,        ///< entries; also an object among values
  entry,        ///< the parts of its head, then its value or block, where it has one
  returned,     ///< `return`: its expression
  value,        ///< single values with joints between them
  joint,        ///< | + =
  word,
  number,
  text,
  list,           ///< values
  call,           ///< word, then raw arguments or a list
  raw_arguments,  ///< (...) as it is
  // of expressions
  choice,  ///< what holds if the condition does, condition, what holds otherwise
  either,
  both,  ///< two or more operands
  relation,
  sum,
  product,      ///< operands with operators between them
  unary,        ///< operator, operand
  operation,    ///< an operator
  name,         ///< with its fields: t.speedup
  count,        ///< a number without a sign
  application,  ///< name, arguments
  assignment,   ///< name, expression
};

struct Node {
  NodeKind kind;
  std::uint32_t begin, end;  ///< bytes of the text
  std::vector<Node> children;
};

/// Line and column of a place, both from 1; the column counts characters.
struct Place {
  std::size_t line, column;
};

class Document {
 public:
  Document() = default;
  Document(const Document&) = delete;  // what is read from it points at its nodes
  Document& operator=(const Document&) = delete;
  Document(Document&&) noexcept = default;
  Document& operator=(Document&&) noexcept = default;
  /// Reads a system file. Throws InputError "NAME:LINE:COLUMN: expected ..." for text that is none, and for more than
  /// kLongestSystem bytes or kDeepestNesting blocks within each other, and for bytes that are no UTF-8.
  static Document parse(std::string text, std::string name);
  static Document read(const std::filesystem::path& path);

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  std::string_view text(const Node& node) const {
    return std::string_view(text_).substr(node.begin, node.end - node.begin);
  }
  const Node& root() const { return root_; }
  const Node& system() const { return root_.children.back(); }
  Place place(const Node& node) const;
  /// "NAME:LINE:COLUMN", how messages begin that point at a node.
  std::string where(const Node& node) const;

  /// The text put together again from the tree: leaves, and what lies between them. Equal to text().
  std::string written() const;

 private:
  std::string name_, text_;
  Node root_{NodeKind::file, 0, 0, {}};
};

inline constexpr std::size_t kLongestSystem = std::size_t{1} << 26;  ///< 64 MiB
inline constexpr int kDeepestNesting = 64;

/// A string's characters, without its quotation marks and with \" \' \\ \n \t put in; a triple-quoted one without the
/// indentation that its lines share. Other nodes as they are written.
std::string plain_text(const Document& document, const Node& node);
/// The same for a string as it is written, with its quotation marks.
std::string unquoted(std::string_view written);

/// A value as JSON: words and calls as strings, true and false as such, objects with the names of their entries; of a
/// union, sum or typed value the written text. An entry without a value is null.
Json json_of(const Document& document, const Node& value);

/// A value as people write it: a text without quotation marks, anything else as JSON.
std::string value_text(const Json& value);

/// The key of an entry: the parts of its head as words, one blank between them.
std::string key_of(const Document& document, const Node& entry);
/// Its value; nullptr where it has a block or nothing.
const Node* value_of(const Node& entry);
/// Its block, or the object that is its value; nullptr where it has neither.
const Node* block_of(const Node& entry);

}  // namespace ladder::spak
