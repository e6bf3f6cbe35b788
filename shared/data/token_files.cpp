#include "shared/data/token_files.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/text_table.hpp"
#include "shared/data/token_file.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

/// The largest token of a file. Throws InputError naming the first one that is not below `vocab_size`.
int largest_token(const TokenFile& file, int vocab_size) {
  int largest = 0;
  std::size_t position = 0;
  file.tokens.for_each([&](std::int32_t token) {
    require(token < vocab_size, "{}: token {} at position {} is not in the vocabulary, 0 to {}", file.name,
            token, position, vocab_size - 1);
    largest = std::max(largest, token);
    ++position;
  });
  return largest;
}

// ---- their text ----------------------------------------------------------------------------------------------

/// The number that `text` is, if it is one from 0 to end - 1.
std::optional<std::size_t> index_in(std::string_view text, std::size_t end) {
  std::size_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && value < end ? std::optional(value) : std::nullopt;
}

std::shared_ptr<const Tokenizer> characters_of_meta(const Json& json, int vocab_size,
                                                    const std::string& name) {
  const Json table = member_of<Json>(json, "itos", name);
  require(table.is_object(), "{}: itos must name a character for each token", name);
  const auto size = static_cast<std::size_t>(vocab_size);
  require(table.size() == size, "{}: itos names {}, vocab_size is {}", name,
          counted(table.size(), "character"), size);
  std::u32string characters(size, U'\0');
  for (const auto& [number, character] : table.items()) {
    const std::optional<std::size_t> index = index_in(number, size);
    require(index && character.is_string(), "{}: itos has '{}', which is no token with a text", name,
            shown(number));
    const std::u32string text = decode_utf8(character.get<std::string>(), name);
    require(text.size() == 1, "{}: the text of token {} is not one character", name, number);
    characters[*index] = text.front();
  }
  return naming_source(name,
                       [&] { return std::make_shared<CharacterTokenizer>(characters, /*with_bos=*/false); });
}

std::shared_ptr<const Tokenizer> tokenizer_of_meta(const fs::path& path) {
  const std::string name = path.string();
  const Json json = json_object(read_file(path), name);
  const int vocab_size = member_of<int>(json, "vocab_size", name);
  require(vocab_size > 0 && vocab_size <= kMostTokens, "{}: vocab_size is {}, from 1 to {} are valid", name,
          vocab_size, kMostTokens);
  if (!json.contains("merges")) return characters_of_meta(json, vocab_size, name);
  std::shared_ptr<const Tokenizer> tokenizer = tokenizer_from_json(json, name);
  require(tokenizer->vocab_size() == vocab_size, "{}: its vocabulary has {} tokens, vocab_size is {}", name,
          tokenizer->vocab_size(), vocab_size);
  return tokenizer;
}

const CharacterTokenizer& characters_of(const TokenStream& stream) {
  const auto* characters = dynamic_cast<const CharacterTokenizer*>(stream.tokenizer.get());
  require(characters != nullptr, "{}: its tokens have no characters to write", stream.name);
  require(characters->vocab_size() <= kMostTokens,
          "{}: has {} distinct characters: token files number up to {}", stream.name,
          characters->vocab_size(), kMostTokens);
  return *characters;
}

std::string meta_text(const CharacterTokenizer& tokenizer) {
  Json::Members itos, stoi;
  for (std::size_t i = 0; i < tokenizer.characters().size(); ++i) {
    const std::string character = encode_utf8(tokenizer.characters()[i]);
    itos.push_back({std::to_string(i), character});
    stoi.push_back({character, i});
  }
  const Json json = {{"vocab_size", tokenizer.vocab_size()},
                     {"itos", Json::object(std::move(itos))},
                     {"stoi", Json::object(std::move(stoi))}};
  return json.dump(1) + "\n";
}

// ---- both ----------------------------------------------------------------------------------------------------

/// The file to train on that `path` names.
fs::path training_file(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    fs::path train = fs::path(path) / "train.bin";
    require(fs::exists(train, ignored),
            "{}: holds no train.bin: give a text, or a folder that ladder prepare has written", path);
    return train;
  }
  require(fs::path(path).filename() != "val.bin", "{}: is what is held out: name its folder or train.bin",
          path);
  return path;
}

void write_tokens(AtomicFile& file, const TokenView& tokens) {
  TokenWriter writer(file);
  tokens.for_each([&](std::int32_t token) { writer.append(token); });
  writer.flush();
}

/// The vocabulary's size where no meta.json says it. A header says that it is GPT-2's. Of raw tokens the largest would
/// tell; where they are not read whole, GPT-2's is what such files mostly have, and windows find any token beyond it.
int size_without_meta(const std::vector<TokenFile>& files, bool read_whole) {
  const bool header = std::ranges::any_of(files, &TokenFile::has_header);
  int largest = 0;
  if (read_whole)
    for (const TokenFile& file : files)
      largest = std::max(largest, largest_token(file, header ? kGpt2Vocabulary : kMostTokens));
  return header || !read_whole ? kGpt2Vocabulary : largest + 1;
}

}  // namespace

bool may_be_token_files(const std::string& path) {
  std::error_code ignored;
  return fs::path(path).extension() == ".bin" || (!path.empty() && fs::is_directory(path, ignored));
}

std::vector<fs::path> token_files_in(const fs::path& folder) {
  return {folder / "train.bin", folder / "val.bin", folder / "meta.json"};
}

std::vector<fs::path> data_files(const std::string& path) {
  if (!may_be_token_files(path)) return {path};
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  std::vector<fs::path> files = token_files_in(is_folder ? fs::path(path) : fs::path(path).parent_path());
  if (!is_folder) files.emplace_back(path);
  return files;
}

TokenStream read_token_files(const std::string& path) {
  const fs::path train = training_file(path);
  const std::vector<fs::path> in_folder = token_files_in(train.parent_path());
  const fs::path &held_out = in_folder[1], &meta = in_folder[2];
  std::error_code ignored;
  const bool has_held_out = fs::exists(held_out, ignored), has_text = fs::exists(meta, ignored);
  TokenStream stream;
  stream.name = path;
  stream.held_out_name = held_out.string();
  std::vector<TokenFile> files = {map_token_file(train)};
  if (has_held_out) files.push_back(map_token_file(held_out));
  stream.training = files.front().tokens;
  if (has_held_out) stream.held_out = files.back().tokens;
  const std::size_t size = stream.training.size() + stream.held_out.size();
  const bool read_whole = size <= kReadWhole;
  if (!read_whole)
    for (const TokenFile& file : files) file.bytes->expect_small_pieces();
  if (has_text) {
    stream.tokenizer = tokenizer_of_meta(meta);
    if (read_whole)
      for (const TokenFile& file : files) largest_token(file, stream.tokenizer->vocab_size());
  } else {
    const int vocab_size = size_without_meta(files, read_whole);
    stream.tokenizer = std::make_shared<NumberTokenizer>(vocab_size);
    stream.notice = fmt::format(
        "there is no {}: the tokens have no text, samples are their numbers, and the vocabulary is taken to "
        "be {}",
        meta.string(), vocab_size);
  }
  stream.hash = stream_hash(stream.training, stream.held_out);
  stream.description = fmt::format("a stream of {} tokens, {}", size,
                                   has_held_out ? fmt::format("the last {} held out", stream.held_out.size())
                                                : "none held out: there is no val.bin beside it");
  stream.storage = std::make_shared<std::vector<TokenFile>>(std::move(files));
  return stream;
}

void refuse_token_files(const std::string& path) {
  std::error_code ignored;
  const bool named =
      fs::path(path).extension() == ".bin" || fs::exists(fs::path(path) / "train.bin", ignored);
  require(path.empty() || !named,
          "{}: token files are one long stream, without lines: choose a preset that trains on one (--preset "
          "small)",
          path);
}

void require_token_files(const TokenStream& stream) { characters_of(stream); }

void write_token_files(const fs::path& folder, const TokenStream& stream) {
  const CharacterTokenizer& characters = characters_of(stream);
  const std::vector<fs::path> paths = token_files_in(folder);
  AtomicFile train(paths[0]), held_out(paths[1]), meta(paths[2]);
  write_tokens(train, stream.training);
  write_tokens(held_out, stream.held_out);
  meta.write(meta_text(characters));
  for (AtomicFile* file : {&train, &held_out, &meta}) file->commit();
}

}  // namespace ladder
