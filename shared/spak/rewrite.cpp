#include "shared/spak/rewrite.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

namespace ladder::spak {

std::string written_text(std::string_view text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '\n' || c == '\t')
      all += c == '\n' ? "\\n" : "\\t";
    else if (c == '"' || c == '\\')
      all += {'\\', c};
    else if (c != '\r')
      all += c;
  }
  return all + "\"";
}

namespace {

/// Whether a key needs no quotation marks.
bool is_word(const std::string& key) {
  return !key.empty() && std::isdigit(static_cast<unsigned char>(key[0])) == 0 &&
         std::all_of(key.begin(), key.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

constexpr const char* kIndent = "    ";

}  // namespace

std::string written_value(const Json& value) {
  if (value.is_string()) return written_text(value.get<std::string>());
  std::string all;
  if (value.is_array()) {
    for (const Json& item : value) all += (all.empty() ? "" : ", ") + written_value(item);
    return "[" + all + "]";
  }
  if (!value.is_object()) return value.dump();
  for (const auto& [key, member] : value.items())
    all += fmt::format("{}{}: {}", all.empty() ? "" : ", ", is_word(key) ? key : written_text(key),
                       written_value(member));
  return all.empty() ? "{ }" : "{ " + all + " }";
}

std::size_t Rewriter::line_begin(std::size_t at) const {
  const std::size_t feed = at == 0 ? std::string::npos : system_.document.text().rfind('\n', at - 1);
  return feed == std::string::npos ? 0 : feed + 1;
}

std::string Rewriter::indentation(std::size_t at) const {
  const std::string& text = system_.document.text();
  const std::size_t begin = line_begin(at);
  return text.substr(begin, std::min(text.find_first_not_of(" \t", begin), text.size()) - begin);
}

/// A closing brace with a line of its own gets a line before it, any other the same on its line.
void Rewriter::insert_before_end(const Node& block, const std::string& one_line,
                                 const std::string& own_line) {
  const std::string& text = system_.document.text();
  const std::size_t brace = block.end - 1, begin = line_begin(brace);
  const bool is_alone = begin > block.begin && text.find_first_not_of(" \t", begin) == brace;
  edits_.push_back(is_alone ? Edit{begin, begin, own_line} : Edit{brace, brace, one_line});
}

void Rewriter::set_entry(const Statement& statement, const std::string& key, const std::string& value) {
  if (const Node* block = block_of(*statement.node))
    for (const Node& entry : block->children)
      if (entry.kind == NodeKind::entry && key_of(system_.document, entry) == key)
        if (const Node* old = value_of(entry)) {
          edits_.push_back({old->begin, old->end, value});
          return;
        }
  add_entry(statement, key, value);
}

void Rewriter::add_entry(const Statement& statement, const std::string& key, const std::string& value) {
  const Node* block = block_of(*statement.node);
  if (block == nullptr) return;
  const std::string entry = fmt::format("{}: {}", key, value);
  insert_before_end(*block, ", " + entry + " ", indentation(block->end - 1) + kIndent + entry + "\n");
}

void Rewriter::add_statement(const std::string& head, const Written& entries) {
  // Indented by one step; text() adds that of the section.
  statements_ += fmt::format("{}{} {{\n", kIndent, head);
  for (const auto& [key, value] : entries)
    statements_ += fmt::format("{}{}{}: {}\n", kIndent, kIndent, key, value);
  statements_ += fmt::format("{}}}\n", kIndent);
}

std::string Rewriter::text() const {
  Rewriter whole(system_);
  whole.edits_ = edits_;
  if (!statements_.empty()) {
    const Document& document = system_.document;
    const Node &block = document.system().children[1], *knowledge = nullptr;
    for (const Node& entry : block.children)
      if (entry.kind == NodeKind::entry && key_of(document, entry) == "knowledge" &&
          block_of(entry) != nullptr)
        knowledge = &entry;
    const std::string outer = indentation(knowledge != nullptr ? knowledge->begin : document.system().begin);
    const std::string indent = knowledge != nullptr ? outer : outer + kIndent;
    std::string lines;
    for (std::size_t at = 0; at < statements_.size();) {
      const std::size_t end = statements_.find('\n', at) + 1;
      lines += indent + statements_.substr(at, end - at);
      at = end;
    }
    if (knowledge == nullptr) lines = fmt::format("{0}knowledge {{\n{1}{0}}}\n", indent, lines);
    whole.insert_before_end(knowledge != nullptr ? *block_of(*knowledge) : block, "\n" + lines + outer,
                            lines);
  }
  std::stable_sort(whole.edits_.begin(), whole.edits_.end(),
                   [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string text;
  std::size_t done = 0;
  for (const Edit& edit : whole.edits_) {
    text += system_.document.text().substr(done, edit.begin - done) + edit.text;
    done = edit.end;
  }
  return text + system_.document.text().substr(done);
}

}  // namespace ladder::spak
