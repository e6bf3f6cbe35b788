// Reading a text to train on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/model/config.hpp"

namespace ladder {

/// Where a run's text comes from and how it is cut.
struct DataOptions {
  std::string path;                     ///< a text or token files (token_files.hpp); empty: `embedded`
  bool character_stream = false;        ///< see Preset::character_stream
  Embedded embedded = Embedded::names;  ///< what counts without a path
};

/// What a run trains on, as a title: the path, "embedded names" or "this program's own source text".
std::string data_title(const DataOptions& data);
/// The same in a sentence: "the embedded names".
std::string source_name(const DataOptions& data);

/// The whole text, decoded, with universal newlines. Throws InputError when its file is missing, a folder, unreadable
/// or not UTF-8.
std::u32string read_text(const DataOptions& data);

/// The stripped lines that are not empty, in order, as the original cuts them. Throws InputError naming `source`
/// when there are none.
std::vector<std::u32string> split_documents(std::u32string_view text, std::string_view source);

}  // namespace ladder
