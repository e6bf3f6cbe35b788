// What is fuzzed: the readers of files and words that come from elsewhere. A target reads bytes that may be anything. It returns,
// or throws nothing but what the program turns into one line: anything else is a finding.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ladder::fuzz {

struct Target {
  const char* name;
  void (*read)(std::string_view bytes);  ///< throws std::logic_error for an answer that is wrong
  std::vector<std::string> (*seeds)();   ///< files of our own to start from: good ones and near misses
};

/// token_file: train.bin, and behind kMetaMark, where that occurs, its meta.json.
extern const Target token_file;
inline constexpr std::string_view kMetaMark = "\nmeta.json\n";
/// bpe: "E" and a text to be encoded with a good vocabulary; otherwise the two files of a vocabulary and a text, with a
/// byte 0 between them.
extern const Target bpe;
/// safetensors: the whole file.
extern const Target safetensors;
/// checkpoint: DIR/checkpoint.safetensors, read to resume from and to sample from.
extern const Target checkpoint;
/// text_data: a text to train on, cut into lines and as one stream.
extern const Target text_data;
/// expression: what `ladder graph` draws, and behind the first newline the values of its names.
extern const Target expression;
/// system_file: what `ladder spak` reads, and every condition in it.
extern const Target system_file;
/// command_line: the words of a call, with a byte 0 behind each.
extern const Target command_line;

}  // namespace ladder::fuzz
