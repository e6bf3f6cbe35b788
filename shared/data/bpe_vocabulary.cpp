#include "shared/data/bpe_vocabulary.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/utf8.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

// ---- bytes as characters -------------------------------------------------------------------------------------

/// The files write every byte as one character that can be seen: itself where Latin-1 has such a one, the others in
/// order from U+0100 on.
struct ByteAlphabet {
  std::array<char32_t, 256> characters{};
  std::array<int, 0x144> bytes{};  ///< by character; -1 where it stands for none

  ByteAlphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool seen = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
      characters[byte] = seen ? byte : next++;
      bytes[characters[byte]] = static_cast<int>(byte);
    }
  }
  int byte_of(char32_t character) const { return character < bytes.size() ? bytes[character] : -1; }
};

const ByteAlphabet& alphabet() {
  static const ByteAlphabet once;
  return once;
}

/// The bytes that `text` writes; `place` is what messages call it, a file and what in it.
std::string bytes_of(std::string_view text, const std::string& place) {
  std::string bytes;
  for (char32_t character : decode_utf8(text, place)) {
    const int byte = alphabet().byte_of(character);
    require(byte >= 0, "{}: the character U+{:04X} in '{}' stands for no byte", place,
            static_cast<std::uint32_t>(character), shown(text));
    bytes.push_back(static_cast<char>(byte));
  }
  require(!bytes.empty(), "{}: a token is empty", place);
  return bytes;
}

std::string text_of(std::string_view bytes) {
  std::string text;
  for (char byte : bytes) text += encode_utf8(alphabet().characters[static_cast<unsigned char>(byte)]);
  return text;
}

// ---- what a vocabulary is made of ----------------------------------------------------------------------------

using Numbers = std::unordered_map<std::string_view, std::int32_t>;

/// The number of every token's bytes. The tokens must stay where they are.
Numbers numbers_of(const std::vector<std::string>& tokens, const std::string& name) {
  Numbers numbers;
  numbers.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i)
    require(numbers.emplace(tokens[i], static_cast<std::int32_t>(i)).second,
            "{}: token {} is '{}', as another one is", name, i, shown(text_of(tokens[i])));
  for (char32_t byte = 0; byte < 256; ++byte)
    require(numbers.contains(std::string(1, static_cast<char>(byte))),
            "{}: no token is the byte 0x{:02x}, written '{}': it could not encode every text", name,
            static_cast<unsigned>(byte), encode_utf8(alphabet().characters[byte]));
  return numbers;
}

/// The merge that `text` writes; `place` as above.
BpeVocabulary::Merge merge_of(std::string_view text, const Numbers& numbers, const std::string& place) {
  const std::size_t blank = text.find(' ');
  require(blank != std::string_view::npos && text.find(' ', blank + 1) == std::string_view::npos,
          "{}: '{}' is no merge: two tokens with one blank between them", place, shown(text));
  const std::string left = bytes_of(text.substr(0, blank), place),
                    right = bytes_of(text.substr(blank + 1), place);
  const auto number = [&](const std::string& bytes) {
    const auto found = numbers.find(bytes);
    require(found != numbers.end(), "{}: the token '{}' of the merge '{}' is not in the vocabulary", place,
            shown(text_of(bytes)), shown(text));
    return found->second;
  };
  return {number(left), number(right), number(left + right)};
}

/// Adds the merge that stands at `place`.
class MergeList {
 public:
  MergeList(const Numbers& numbers, std::vector<BpeVocabulary::Merge>& merges)
      : numbers_(numbers), merges_(merges) {}

  void add(std::string_view text, const std::string& place) {
    const BpeVocabulary::Merge merge = merge_of(text, numbers_, place);
    const auto left = static_cast<std::uint64_t>(merge.left), right = static_cast<std::uint64_t>(merge.right);
    require(pairs_.insert((left << 32) | right).second, "{}: the merge '{}' stands there a second time",
            place, shown(text));
    merges_.push_back(merge);
  }

 private:
  const Numbers& numbers_;
  std::vector<BpeVocabulary::Merge>& merges_;
  std::unordered_set<std::uint64_t> pairs_;
};

/// Special tokens, such as <|endoftext|>, are put into a text as they are and made by no merge.
bool is_special(std::string_view token) {
  return token.size() > 2 && token.front() == '<' && token.back() == '>';
}

/// Throws where a token of several bytes is made by no merge: the file of the merges is cut short, or of another
/// vocabulary, and texts would silently be cut into other tokens than the model has learnt.
void require_all_made(const BpeVocabulary& vocabulary, const std::string& tokens_name,
                      const std::string& merges_name) {
  std::vector<bool> made(vocabulary.tokens.size(), false);
  for (const BpeVocabulary::Merge& merge : vocabulary.merges)
    made[static_cast<std::size_t>(merge.whole)] = true;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const std::string& token = vocabulary.tokens[i];
    require(made[i] || token.size() == 1 || is_special(token),
            "{}: no merge makes the token '{}', number {} in {}: is it cut short, or of another vocabulary?",
            merges_name, shown(text_of(token)), i, tokens_name);
  }
}

/// The tokens of {"TOKEN": NUMBER, ...} in the order of their numbers, as the file writes them.
std::vector<std::string> tokens_in_order(std::string_view text, const std::string& name) {
  const Json json = json_object(text, name, /*deepest=*/1);
  const std::size_t size = json.size();
  std::vector<std::string> tokens(size);
  std::vector<bool> taken(size, false);
  for (const auto& [token, number] : json.items()) {
    require(number.is_whole() && number.get<std::uint64_t>() < size,
            "{}: the number of token '{}' is {}: {} tokens have the numbers 0 to {}", name, shown(token),
            shown(number.dump()), size, size - 1);
    const auto at = number.get<std::size_t>();
    require(!taken[at], "{}: the tokens '{}' and '{}' both have the number {}", name, shown(tokens[at]),
            shown(token), at);
    taken[at] = true;
    tokens[at] = token;
  }
  return tokens;
}

std::vector<std::string> bytes_of_all(const std::vector<std::string>& tokens, const std::string& name) {
  std::vector<std::string> bytes;
  bytes.reserve(tokens.size());
  for (const std::string& token : tokens) bytes.push_back(bytes_of(token, name));
  return bytes;
}

}  // namespace

std::vector<fs::path> bpe_files(const fs::path& folder) {
  std::error_code ignored;
  require(fs::is_directory(folder, ignored),
          "--tokenizer {}: is no folder: name the one that holds the vocabulary's two files",
          folder.string());
  const std::array<std::array<const char*, 2>, 2> pairs = {
      {{"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}}};
  std::string half;
  for (const auto& pair : pairs) {
    const std::array<bool, 2> there = {fs::exists(folder / pair[0], ignored),
                                       fs::exists(folder / pair[1], ignored)};
    if (there[0] && there[1]) return {folder / pair[0], folder / pair[1]};
    if ((there[0] || there[1]) && half.empty())
      half = fmt::format("holds {}, but no {}", pair[there[0] ? 0 : 1], pair[there[0] ? 1 : 0]);
  }
  throw InputError(
      fmt::format("{}: {}: a vocabulary is vocab.json with merges.txt, or encoder.json with vocab.bpe",
                  folder.string(), half.empty() ? "holds no vocabulary" : half));
}

BpeVocabulary read_bpe_vocabulary(const fs::path& folder) {
  const std::vector<fs::path> files = bpe_files(folder);
  return parse_bpe_vocabulary(read_file(files[0]), files[0].string(), read_file(files[1]), files[1].string());
}

BpeVocabulary parse_bpe_vocabulary(std::string_view tokens, const std::string& tokens_name,
                                   std::string_view merges, const std::string& merges_name) {
  BpeVocabulary vocabulary;
  vocabulary.tokens = bytes_of_all(tokens_in_order(tokens, tokens_name), tokens_name);
  const Numbers numbers = numbers_of(vocabulary.tokens, tokens_name);
  count_utf8(merges, merges_name);  // says the line of a byte that is none
  MergeList list(numbers, vocabulary.merges);
  for (std::size_t line = 1; !merges.empty(); ++line) {
    const std::size_t end = std::min(merges.find('\n'), merges.size());
    std::string_view text = merges.substr(0, end);
    merges.remove_prefix(std::min(end + 1, merges.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    const bool version = line == 1 && text.starts_with("#version");
    if (version || (text.empty() && merges.empty())) continue;
    list.add(text, fmt::format("{}: line {}", merges_name, line));
  }
  require_all_made(vocabulary, tokens_name, merges_name);
  return vocabulary;
}

Json to_json(const BpeVocabulary& vocabulary) {
  Json::Items tokens, merges;
  for (const std::string& token : vocabulary.tokens) tokens.emplace_back(text_of(token));
  const auto text = [&](std::int32_t token) {
    return text_of(vocabulary.tokens[static_cast<std::size_t>(token)]);
  };
  for (const BpeVocabulary::Merge& merge : vocabulary.merges)
    merges.emplace_back(text(merge.left) + " " + text(merge.right));
  Json json = Json::object();
  json["tokens"] = Json::array(std::move(tokens));
  json["merges"] = Json::array(std::move(merges));
  return json;
}

BpeVocabulary bpe_vocabulary_from_json(const Json& json, const std::string& source) {
  BpeVocabulary vocabulary;
  vocabulary.tokens = bytes_of_all(member_of<std::vector<std::string>>(json, "tokens", source), source);
  const Numbers numbers = numbers_of(vocabulary.tokens, source);
  MergeList list(numbers, vocabulary.merges);
  for (const std::string& merge : member_of<std::vector<std::string>>(json, "merges", source))
    list.add(merge, source);
  return vocabulary;
}

}  // namespace ladder
