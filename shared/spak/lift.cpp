#include "shared/spak/lift.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace ladder::spak {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The text with blanks for comments, so that every place stays where it is.
std::string without_comments(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i] == '"') {
      for (++i; i < out.size() && out[i] != '"' && out[i] != '\n'; ++i) i += out[i] == '\\' ? 1 : 0;
      continue;
    }
    const bool line = out.compare(i, 2, "//") == 0, block = out.compare(i, 2, "/*") == 0;
    if (!line && !block) continue;
    std::size_t end = out.find(line ? "\n" : "*/", i);
    end = std::min(end == std::string::npos ? end : end + (line ? 0 : 2), out.size());
    for (; i < end; ++i)
      if (out[i] != '\n') out[i] = ' ';
  }
  return out;
}

std::string trimmed(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (std::isspace(static_cast<unsigned char>(c)) == 0)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

/// The place behind the bracket that closes the one at `open`; npos where none does.
std::size_t closed(std::string_view text, std::size_t open, char opening, char closing) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == opening) ++depth;
    if (text[i] == closing && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

/// The parts between commas that no bracket encloses.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (std::string_view("<({[").find(c) != std::string_view::npos) ++depth;
    if (std::string_view(">)}]").find(c) != std::string_view::npos) --depth;
    if (c == ',' && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  for (std::string& part : parts) part = trimmed(part);
  std::erase(parts, "");
  return parts;
}

/// "table::NormTiles S = {1}" as its type, name and default.
struct Declared {
  std::string type, name, otherwise;
};
std::optional<Declared> declared(const std::string& part) {
  const std::size_t equals = part.find('=');
  std::string head = trimmed(std::string_view(part).substr(0, equals));
  if (const std::size_t brace = head.find('{'); brace != std::string::npos)
    head = trimmed(head.substr(0, brace));
  std::size_t start = head.size();
  while (start > 0 && is_word(head[start - 1])) --start;
  Declared found{trimmed(std::string_view(head).substr(0, start)), head.substr(start),
                 equals == std::string::npos ? "" : trimmed(std::string_view(part).substr(equals + 1))};
  if (found.name.empty() || found.type.empty()) return std::nullopt;
  return found;
}

bool holds_one_of(const std::string& name, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return name.find(word) != std::string::npos; });
}

/// What a parameter of this type and name usually is; nothing for a type that is no number.
std::vector<Json> draft_values(const std::string& type, const std::string& name) {
  if (type == "bool") return {false, true};
  if (!holds_one_of(type, {"int", "unsigned", "size_t", "short", "long"})) return {};
  if (holds_one_of(name, {"warps"})) return {4, 8};
  if (holds_one_of(name, {"occupancy"})) return {1, 2, 4};
  if (holds_one_of(name, {"latency", "stages"})) return {0, 1, 2, 5};
  return {16, 32, 64, 128};
}

/// The fields of a structure, where one of the texts defines it.
std::vector<Declared> fields_of(const std::string& type, const std::vector<std::string>& texts) {
  const std::string plain = type.substr(type.rfind(':') + 1);  // npos + 1 is 0: no namespace
  for (const std::string& text : texts)
    for (std::size_t at = 0; (at = text.find("struct " + plain, at)) != std::string::npos; ++at) {
      const std::size_t open = text.find_first_not_of(" \n", at + 7 + plain.size());
      if (open == std::string::npos || text[open] != '{') continue;
      std::vector<Declared> fields;
      std::string body = text.substr(open + 1, closed(text, open, '{', '}') - open - 2);
      for (std::size_t end; (end = body.find(';')) != std::string::npos; body.erase(0, end + 1)) {
        const std::string statement = trimmed(std::string_view(body).substr(0, end));
        if (statement.find('(') != std::string::npos)
          break;  // functions follow; what is before them are the fields
        std::string field_type;
        for (const std::string& part : split(statement)) {
          auto field = declared(field_type.empty() ? part : fmt::format("{} {}", field_type, part));
          if (!field) continue;
          field_type = field->type;
          fields.push_back(std::move(*field));
        }
      }
      return fields;
    }
  return {};
}

class Lifter {
 public:
  Lifter(std::string_view text, const std::vector<std::string>& others) : text_(without_comments(text)) {
    texts_.push_back(text_);
    for (const std::string& other : others) texts_.push_back(without_comments(other));
  }

  std::vector<LiftedKernel> run() {
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t mark = std::min(text_.find("__tile_global__", at), text_.find("__global__", at));
      if (mark == std::string::npos) break;
      const std::size_t open = text_.find('(', mark);
      if (open == std::string::npos) break;
      add(mark, open);
      at = open;
    }
    return std::move(kernels_);
  }

 private:
  void add(std::size_t mark, std::size_t open) {
    std::size_t end = open;
    while (end > 0 && std::isspace(static_cast<unsigned char>(text_[end - 1])) != 0) --end;
    std::size_t start = end;
    while (start > 0 && is_word(text_[start - 1])) --start;
    LiftedKernel kernel;
    kernel.name = text_.substr(start, end - start);
    kernel.line = static_cast<std::size_t>(
                      std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(mark), '\n')) +
                  1;
    const std::size_t declaration = begin_of_declaration(mark);
    kernel.hints = hints_in(declaration, mark);
    const std::size_t angle = text_.find('<', declaration);
    if (text_.compare(declaration, 8, "template") == 0 && angle < mark)
      for (const std::string& part :
           split(std::string_view(text_).substr(angle + 1, closed(text_, angle, '<', '>') - angle - 2)))
        if (const auto parameter = declared(part)) add_axes(*parameter, kernel);
    kernels_.push_back(std::move(kernel));
  }

  /// Behind the last thing that ended before the kernel.
  std::size_t begin_of_declaration(std::size_t mark) const {
    const std::size_t last = text_.find_last_of(";}", mark);
    const std::size_t begin = last == std::string::npos ? 0 : last + 1;
    const std::size_t word = text_.find("template", begin);
    return word < mark ? word : begin;
  }

  /// hint(0, a = b, c = d): "a = b", "c = d"
  std::vector<std::string> hints_in(std::size_t begin, std::size_t end) const {
    std::vector<std::string> hints;
    for (std::size_t at = begin; (at = text_.find("hint(", at)) != std::string::npos && at < end; at += 5)
      for (const std::string& part :
           split(std::string_view(text_).substr(at + 5, closed(text_, at + 4, '(', ')') - at - 6)))
        if (part.find('=') != std::string::npos) hints.push_back(part);
    return hints;
  }

  void add_axes(const Declared& parameter, LiftedKernel& kernel) const {
    if (parameter.type.find("...") != std::string::npos) return;  // a pack is counted, not chosen
    const std::string from = parameter.type + " " + parameter.name;
    if (parameter.type == "class" || parameter.type == "typename") {
      kernel.axes.push_back({parameter.name, {"float", "__nv_bfloat16"}, from, true});
      return;
    }
    if (const auto values = draft_values(parameter.type, parameter.name); !values.empty()) {
      kernel.axes.push_back({parameter.name, values, from, false});
      return;
    }
    for (const Declared& field : fields_of(parameter.type, texts_))
      if (const auto values = draft_values(field.type, field.name); !values.empty())
        kernel.axes.push_back(
            {field.name, values, fmt::format("field {} of {}", field.name, parameter.type), false});
  }

  std::string text_;
  std::vector<std::string> texts_;
  std::vector<LiftedKernel> kernels_;
};

std::string list_of(const std::vector<Json>& values) {
  std::string list;
  for (const Json& value : values) list += (list.empty() ? "" : ", ") + value.dump();
  return "[" + list + "]";
}

/// The axes of all kernels, each name once; with them the comments that say where they come from.
std::string section(const char* name, const std::vector<LiftedKernel>& kernels, bool is_design) {
  std::string lines;
  std::vector<std::string> seen;
  for (const LiftedKernel& kernel : kernels)
    for (const LiftedAxis& axis : kernel.axes) {
      if (axis.is_design != is_design || std::find(seen.begin(), seen.end(), axis.name) != seen.end())
        continue;
      seen.push_back(axis.name);
      lines += fmt::format("        {}: {}  // {} of {}, line {}\n", axis.name, list_of(axis.values),
                           axis.from, kernel.name, kernel.line);
    }
  return lines.empty() ? "" : fmt::format("    {} {{\n{}    }}\n\n", name, lines);
}

}  // namespace

std::vector<LiftedKernel> lifted_kernels(std::string_view text, const std::vector<std::string>& others) {
  return Lifter(text, others).run();
}

std::string draft_system(const std::string& name, const std::string& source,
                         const std::vector<LiftedKernel>& kernels) {
  std::string text = fmt::format(
      "---\ntitle: \"{} - a draft, lifted from its text\"\nsource: \"{}\"\nstatus: \"draft: the values are "
      "guesses, the rules are "
      "missing\"\n---\n\nsystem {} {{\n\n",
      name, source, name);
  text += section("design_space", kernels, true) + section("tuning_space", kernels, false);
  for (const LiftedKernel& kernel : kernels)
    for (const std::string& hint : kernel.hints)
      text += fmt::format("    // {}: hint {}\n", kernel.name, hint);
  text += fmt::format(
      "\n    engineering_loop {}_Tuner {{\n        // without parameters of its own it takes the tuning "
      "space\n        measure {{\n"
      "            cmd: \"./measure_{}\"  // to be written: prints __SPAK_TRACE__ {{\"type\": "
      "\"Performance\", \"us\": ...}}\n"
      "            metric: \"us\"\n            objective: \"minimize\"\n        }}\n    }}\n}}\n",
      name, name);
  return text;
}

}  // namespace ladder::spak
