#include "shared/data/bpe_files.hpp"

#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/data/token_file.hpp"
#include "shared/data/token_files.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

std::string universal_newlines_of(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool crlf = bytes[i] == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n';
    if (!crlf) result.push_back(bytes[i] == '\r' ? '\n' : bytes[i]);
  }
  return result;
}

/// How many bytes the first `characters` of a valid text have.
std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0u) != 0x80u;
    if (begins && seen++ == characters) break;
  }
  return end;
}

std::size_t write_encoded(AtomicFile& file, std::string_view text, const BpeTokenizer& tokenizer) {
  TokenWriter writer(file);
  tokenizer.encode_bytes(text, [&](std::span<const std::int32_t> tokens) {
    for (const std::int32_t token : tokens) writer.append(token);
  });
  writer.flush();
  return writer.count();
}

std::string meta_text(const BpeTokenizer& tokenizer) {
  Json meta = {{"vocab_size", tokenizer.vocab_size()}};
  meta.update(tokenizer.to_json());
  return meta.dump(1) + "\n";
}

}  // namespace

DividedText::DividedText(const std::string& path) : mapped_(std::make_unique<MappedFile>(path)) {
  all_ = {reinterpret_cast<const char*>(mapped_->bytes().data()), mapped_->bytes().size()};
  characters_ = count_utf8(all_, path);
  if (all_.find('\r') != std::string_view::npos) {
    copy_ = universal_newlines_of(all_);
    all_ = copy_;
    mapped_.reset();
    characters_ = count_utf8(all_, path);
  }
  const std::size_t training = characters_ / 10 * 9 + characters_ % 10 * 9 / 10;
  require(training > 0, "{}: one character cannot be divided into a part to train on and one held out", path);
  training_bytes_ = bytes_of(all_, training);
}

void require_token_files(const BpeTokenizer& tokenizer, const std::string& name) {
  require(tokenizer.vocab_size() <= kMostTokens, "{}: has {} tokens: token files number up to {}", name,
          tokenizer.vocab_size(), kMostTokens);
}

TokenCounts write_token_files(const fs::path& folder, const DividedText& text,
                              const BpeTokenizer& tokenizer) {
  const std::vector<fs::path> paths = token_files_in(folder);
  AtomicFile train(paths[0]), held_out(paths[1]), meta(paths[2]);
  const TokenCounts counts{write_encoded(train, text.training(), tokenizer),
                           write_encoded(held_out, text.held_out(), tokenizer)};
  meta.write(meta_text(tokenizer));
  for (AtomicFile* file : {&train, &held_out, &meta}) file->commit();
  return counts;
}

}  // namespace ladder
