#include "shared/spak/language/syntax.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "shared/base/shown.hpp"
#include "shared/spak/language/expression_tree.hpp"

namespace ladder::spak {

Place Document::place(const Node& node) const { return place_in(text_, node.begin); }

std::string Document::where(const Node& node) const {
  const Place at = place(node);
  return fmt::format("{}:{}:{}", shown(name_), at.line, at.column);
}

namespace {

void write_node(const std::string& text, const Node& node, std::string& out) {
  std::size_t done = node.begin;
  for (const Node& child : node.children) {
    out.append(text, done, child.begin - done);
    write_node(text, child, out);
    done = child.end;
  }
  out.append(text, done, node.end - done);
}

/// The indentation that all lines but the first share, taken from them.
std::string without_indentation(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  std::size_t shared = std::string_view::npos;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t indentation = lines[i].find_first_not_of(" \t\r");
    if (indentation != std::string_view::npos) shared = std::min(shared, indentation);
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string_view line = lines[i];
    if (i > 0 && shared != std::string_view::npos) line.remove_prefix(std::min(shared, line.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);  // npos + 1 is 0: an empty line
    if (i > 0) out += '\n';
    out += line;
  }
  const std::size_t begin = out.find_first_not_of('\n');
  return begin == std::string::npos ? "" : out.substr(begin, out.find_last_not_of('\n') + 1 - begin);
}

std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '"':
      case '\'':
      case '\\':
        out += text[i];
        break;
      default:
        out += '\\', out += text[i];  // a path of Windows, a regular expression: as it is
    }
  }
  return out;
}

Json number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t whole = 0;
  auto end = std::from_chars(text.begin(), text.end(), whole);
  if (end.ec == std::errc{} && end.ptr == text.end()) return whole;
  double real = 0;
  end = std::from_chars(text.begin(), text.end(), real);
  // Beyond a double's range it stays what is written: no number of ours.
  return end.ec == std::errc{} && end.ptr == text.end() ? Json(real) : Json(text);
}

Json object_of(const Document& document, const Node& block) {
  Json object = Json::object();
  for (const Node& entry : block.children) {
    const std::string key = key_of(document, entry);
    const Node* value = value_of(entry);
    const Node* inner = value == nullptr ? block_of(entry) : nullptr;
    Json json = value != nullptr   ? json_of(document, *value)
                : inner != nullptr ? object_of(document, *inner)
                                   : Json();
    // A key that stands several times has all its values.
    if (const Json* earlier = object.find(key)) {
      Json all = earlier->is_array() ? *earlier : Json::array({*earlier});
      all.push_back(std::move(json));
      json = std::move(all);
    }
    object[key] = std::move(json);
  }
  return object;
}

}  // namespace

std::string Document::written() const {
  std::string out;
  out.reserve(text_.size());
  out.append(text_, 0, root_.begin);
  write_node(text_, root_, out);
  out.append(text_, root_.end);
  return out;
}

std::string unquoted(std::string_view written) {
  if (written.starts_with("\"\"\"")) return without_indentation(written.substr(3, written.size() - 6));
  return without_escapes(written.substr(1, written.size() - 2));
}

std::string plain_text(const Document& document, const Node& node) {
  const std::string_view written = document.text(node);
  return node.kind == NodeKind::text ? unquoted(written) : std::string(written);
}

Json json_of(const Document& document, const Node& value) {
  const std::string_view text = document.text(value);
  switch (value.kind) {
    case NodeKind::value:
      return value.children.size() == 1 ? json_of(document, value.children[0]) : Json(text);
    case NodeKind::number:
      return number_of(text);
    case NodeKind::text:
      return plain_text(document, value);
    case NodeKind::list: {
      Json list = Json::array();
      for (const Node& item : value.children) list.push_back(json_of(document, item));
      return list;
    }
    case NodeKind::block:
      return object_of(document, value);
    default:
      break;
  }
  if (text == "true" || text == "false") return text == "true";
  return text;
}

std::string value_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string key_of(const Document& document, const Node& entry) {
  if (entry.kind == NodeKind::returned) return "return";
  std::string key;
  for (const Node& part : entry.children) {
    if (part.kind == NodeKind::value || part.kind == NodeKind::block) break;
    if (!key.empty()) key += ' ';
    key += plain_text(document, part);
  }
  return key;
}

const Node* value_of(const Node& entry) {
  if (entry.kind == NodeKind::returned) return &entry.children.back();
  return !entry.children.empty() && entry.children.back().kind == NodeKind::value ? &entry.children.back()
                                                                                  : nullptr;
}

const Node* block_of(const Node& entry) {
  if (entry.children.empty()) return nullptr;
  const Node& last = entry.children.back();
  if (last.kind == NodeKind::block) return &last;
  if (last.kind == NodeKind::value && last.children.size() == 1 && last.children[0].kind == NodeKind::block)
    return &last.children[0];
  return nullptr;
}

}  // namespace ladder::spak
