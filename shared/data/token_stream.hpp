// One long text as tokens: a part to train on and a part that is held out, from a text or from token files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shared/data/text.hpp"
#include "shared/data/token_view.hpp"
#include "shared/data/tokenizer.hpp"

namespace ladder {

struct TokenStream {
  std::shared_ptr<const Tokenizer> tokenizer;
  /// Keeps what the views look at: a mapped file, or tokens made from a text.
  std::shared_ptr<const void> storage;
  TokenView training, held_out;  ///< held_out may be empty
  std::uint64_t hash = 0;        ///< stream_hash() of the two parts, however they are stored
  std::string name;              ///< what messages call it, or the part to train on
  std::string held_out_name;     ///< what they call the part held out
  std::string description;       ///< one clause: how many, how many of them held out
  std::string notice;            ///< a sentence for stderr where something is missing; or empty
};

/// A stream of more tokens is not read from end to end before a run, so that the largest files start like small ones.
constexpr std::size_t kReadWhole = std::size_t{1} << 22;

/// By this a resumed run knows its data: the hash of all tokens, those to train on first. Of more than kReadWhole, the
/// hash of how many there are and of stretches from all over them, the first and the last tokens included.
std::uint64_t stream_hash(const TokenView& training, const TokenView& held_out);

/// The characters of `text`: the first nine tenths to train on, the rest held out, as nanoGPT divides it.
TokenStream stream_of_text(const std::u32string& text, const std::string& name);

/// What a run with windows of block_size + 1 tokens trains on: the token files that the path names (see
/// token_files.hpp), else read_text(). Throws InputError when it cannot be read or one of its parts is
/// shorter than a window.
TokenStream read_stream(const DataOptions& data, int block_size);

}  // namespace ladder
