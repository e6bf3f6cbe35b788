// Token files, as nanoGPT writes and reads them: a folder with
//   train.bin   what is trained on: uint16, raw or behind a header (token_file.hpp)
//   val.bin     the same of what is held out; may be missing
//   meta.json   the text of the tokens; may be missing, they then have none. Of characters nanoGPT's meta.pkl as JSON,
//               {"vocab_size": 65, "itos": {"0": "\n", ...}, "stoi": {"\n": 0, ...}}; of a byte-level vocabulary all of
//               it, {"vocab_size": 50257, "tokens": ["!", ...], "merges": ["\u0120 t", ...]}, so that neither the
//               folder nor a checkpoint made from it needs the vocabulary's own files
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/data/token_stream.hpp"

namespace ladder {

/// Whether a run reads `path` as token files and not as a text: a folder, or a name that ends in .bin.
bool may_be_token_files(const std::string& path);

/// train.bin, val.bin and meta.json of `folder`, whether they are there or not.
std::vector<std::filesystem::path> token_files_in(const std::filesystem::path& folder);

/// The files that a run reads which is given `path` as its data: token files, or a text.
std::vector<std::filesystem::path> data_files(const std::string& path);

/// `path` is the folder, or the file to train on, beside which the other two then lie. The files are mapped. Up to
/// kReadWhole tokens are looked through for one outside the vocabulary; of more, each window is when it is drawn
/// (windows.hpp), so that files of any size open at once. Throws InputError naming the file when one is missing
/// (train.bin), empty, not of whole tokens, or holds such a token.
TokenStream read_token_files(const std::string& path);

/// Throws InputError where `path` names token files: documents are lines of a text, and tokens have none.
void refuse_token_files(const std::string& path);

/// Throws InputError when token files cannot hold `stream`: its tokenizer is not one of characters, or has more of them
/// than two bytes can number.
void require_token_files(const TokenStream& stream);

/// Writes the three files into `folder`, which exists; each appears once it is complete, and none before all are
/// written. Throws what require_token_files throws.
void write_token_files(const std::filesystem::path& folder, const TokenStream& stream);

}  // namespace ladder
