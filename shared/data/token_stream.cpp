#include "shared/data/token_stream.hpp"

#include <algorithm>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/text_table.hpp"
#include "shared/data/token_files.hpp"

namespace ladder {
namespace {

std::shared_ptr<const OwnedTokens> encoded(const std::u32string& text, const Tokenizer& tokenizer) {
  // so that no second copy of a long text is held in four bytes a token
  constexpr std::size_t kPiece = 1 << 20;
  auto tokens = std::make_shared<OwnedTokens>(tokenizer.vocab_size());
  for (std::size_t begin = 0; begin < text.size(); begin += kPiece)
    tokens->append(tokenizer.encode(std::u32string_view(text).substr(begin, kPiece)));
  return tokens;
}

/// 64 stretches of 4,096 tokens, some hundred pages of a file.
void add_stretches(const TokenView& tokens, Hash64& hash) {
  constexpr std::size_t kStretches = 64, kLength = 4096;
  hash.add(std::uint64_t{tokens.size()});
  if (tokens.size() <= kStretches * kLength) return tokens.add_to(hash);
  const std::size_t last = tokens.size() - kLength;
  for (std::size_t i = 0; i < kStretches; ++i)
    tokens.part(last / (kStretches - 1) * i + last % (kStretches - 1) * i / (kStretches - 1), kLength)
        .add_to(hash);
}

}  // namespace

std::uint64_t stream_hash(const TokenView& training, const TokenView& held_out) {
  Hash64 hash;
  for (const TokenView& part : {training, held_out}) {
    if (training.size() + held_out.size() <= kReadWhole)
      part.add_to(hash);
    else
      add_stretches(part, hash);
  }
  return hash.value();
}

TokenStream stream_of_text(const std::u32string& text, const std::string& name) {
  TokenStream stream;
  stream.tokenizer =
      std::make_shared<CharacterTokenizer>(CharacterTokenizer::of(std::span(&text, 1), /*with_bos=*/false));
  const auto tokens = encoded(text, *stream.tokenizer);
  stream.storage = tokens;
  const TokenView all = tokens->view();
  const std::size_t training = all.size() * 9 / 10;
  stream.training = all.part(0, training);
  stream.held_out = all.part(training, all.size() - training);
  stream.hash = stream_hash(stream.training, stream.held_out);
  stream.name = stream.held_out_name = name;
  stream.description =
      fmt::format("a stream of {} characters, the last {} held out", all.size(), all.size() - training);
  return stream;
}

TokenStream read_stream(const DataOptions& data, int block_size) {
  const auto window = static_cast<std::size_t>(block_size) + 1;
  TokenStream stream;
  if (may_be_token_files(data.path)) {
    stream = read_token_files(data.path);
    const auto require_window = [&](const TokenView& part, const std::string& name) {
      require(part.size() >= window,
              "{}: {} tokens are too few for --block-size {}: each file must hold one window, {} tokens",
              name, part.size(), block_size, window);
    };
    require_window(stream.training, stream.name);
    if (!stream.held_out.empty()) require_window(stream.held_out, stream.held_out_name);
    return stream;
  }
  stream = stream_of_text(read_text(data), source_name(data));
  const std::size_t size = stream.training.size() + stream.held_out.size();
  require(stream.held_out.size() >= window,
          "{}: {} {} too few for --block-size {}: its last tenth must hold one window, {} characters",
          stream.name, counted(size, "character"), size == 1 ? "is" : "are", block_size, window);
  return stream;
}

}  // namespace ladder
