#include "shared/data/text.hpp"

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/utf8.hpp"
#include "shared/data/embedded_names.hpp"

namespace ladder {

std::string source_name(const std::string& path) { return path.empty() ? "the embedded names" : path; }

std::u32string read_text(const std::string& path) {
  const std::string bytes = path.empty() ? std::string(embedded_names) : read_file(path);
  require(!bytes.empty(), "{}: the file is empty: training needs at least one line of text",
          source_name(path));
  return universal_newlines(decode_utf8(bytes, source_name(path)));
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
