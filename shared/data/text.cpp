#include "shared/data/text.hpp"

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/utf8.hpp"
#include "shared/data/embedded_names.hpp"
#include "shared/data/embedded_source.hpp"

namespace ladder {

std::string data_title(const DataOptions& data) {
  if (!data.path.empty()) return escaped_name(data.path);
  return data.embedded == Embedded::names ? "embedded names" : "this program's own source text";
}

std::string source_name(const DataOptions& data) {
  const bool names = data.path.empty() && data.embedded == Embedded::names;
  return (names ? "the " : "") + data_title(data);
}

std::u32string read_text(const DataOptions& data) {
  const std::string bytes =
      data.path.empty() ? std::string(data.embedded == Embedded::names ? embedded_names : embedded_source)
                        : read_file(data.path, kLongestText);
  require(!bytes.empty(), "{}: the file is empty: training needs at least one line of text",
          source_name(data));
  return universal_newlines(decode_utf8(bytes, source_name(data)));
}

std::vector<std::u32string> split_documents(std::u32string_view text, std::string_view source) {
  std::vector<std::u32string> documents;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(U'\n'), text.size());
    const std::u32string_view line = strip(text.substr(0, end));
    if (!line.empty()) documents.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  require(!documents.empty(), "{}: holds nothing but white space: training needs at least one line of text",
          source);
  return documents;
}

}  // namespace ladder
