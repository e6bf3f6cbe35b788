#include "shared/data/data.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/random.hpp"
#include "shared/data/embedded_names.hpp"

namespace ladder {
namespace {

std::uint64_t hash_tokens(std::span<const std::int32_t> tokens) {
  Hash64 hash;
  for (std::int32_t token : tokens) hash.add(static_cast<std::uint64_t>(token));
  return hash.value();
}

Sequence sequence_at(std::span<const std::int32_t> tokens, std::size_t begin, std::size_t length) {
  const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto count = static_cast<std::ptrdiff_t>(length);
  return {{first, first + count}, {first + 1, first + 1 + count}};
}

}  // namespace

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

TokenSource::TokenSource(std::shared_ptr<const Tokenizer> tokenizer, const GptConfig& model,
                         const TrainConfig& train)
    : tokenizer_(std::move(tokenizer)),
      block_size_(model.block_size),
      batch_size_(train.batch_size),
      grad_accum_(train.grad_accum) {
  require(std::int64_t{batch_size_} * grad_accum_ <= std::numeric_limits<std::int32_t>::max(),
          "--batch-size {} times --grad-accum {}: a step has at most 2^31-1 sequences", batch_size_,
          grad_accum_);
}

std::vector<Batch> TokenSource::step(std::int64_t s, Layout layout, int rank, int ranks) const {
  require(rank >= 0 && rank < ranks, "rank {} of {} ranks: ranks count from 0", rank, ranks);
  const std::int64_t per_step = std::int64_t{batch_size_} * grad_accum_ * ranks;
  require(per_step <= std::numeric_limits<std::int32_t>::max(),
          "--batch-size {} times --grad-accum {} on {} ranks: a step has at most 2^31-1 sequences",
          batch_size_, grad_accum_, ranks);
  std::vector<Batch> micro_batches;
  std::vector<Sequence> sequences(static_cast<std::size_t>(batch_size_));
  for (int g = 0; g < grad_accum_; ++g) {
    for (int b = 0; b < batch_size_; ++b)
      sequences[static_cast<std::size_t>(b)] = sequence(s, (g * ranks + rank) * batch_size_ + b, ranks);
    micro_batches.push_back(make_batch(sequences, layout, block_size_));
  }
  return micro_batches;
}

Sequence TokenSource::held_out_sequence(int index) const {
  throw InputError(
      fmt::format("held-out sequence {} was asked for: of these data nothing is held out", index));
}

std::uint64_t TokenSource::token_hash() const {
  Hash64 hash;
  for (int index = 0; index < batch_size_ * grad_accum_; ++index) {
    const Sequence at = sequence(0, index);
    hash.add(at.tokens.size());
    for (std::int32_t token : at.tokens) hash.add(static_cast<std::uint64_t>(token));
    for (std::int32_t token : at.targets) hash.add(static_cast<std::uint64_t>(token));
  }
  return hash.value();
}

// ---- documents -----------------------------------------------------------------------------------------------

DocumentSource::DocumentSource(const std::vector<std::u32string>& documents,
                               std::shared_ptr<const Tokenizer> tokenizer, const GptConfig& model,
                               const TrainConfig& train)
    : TokenSource(std::move(tokenizer), model, train), tokens_{tokenizer_->bos()}, starts_{0} {
  for (const std::u32string& document : documents) {
    const std::vector<std::int32_t> ids = tokenizer_->encode(document);
    tokens_.insert(tokens_.end(), ids.begin(), ids.end());
    tokens_.push_back(tokenizer_->bos());
    starts_.push_back(tokens_.size() - 1);
    longest_ = std::max(longest_, document.size());
    too_long_ += document.size() + 1 > static_cast<std::size_t>(block_size_) ? 1 : 0;
  }
}

Sequence DocumentSource::sequence_of(std::int64_t s, int index, int per_step) const {
  // Unsigned arithmetic of s mod D first: s * per_step itself could overflow.
  const std::uint64_t count = document_count();
  const std::uint64_t first = static_cast<std::uint64_t>(s) % count * static_cast<std::uint64_t>(per_step);
  const std::size_t document = (first + static_cast<std::uint64_t>(index)) % count;
  const std::size_t positions = starts_[document + 1] - starts_[document];
  return sequence_at(tokens_, starts_[document], std::min(positions, static_cast<std::size_t>(block_size_)));
}

std::uint64_t DocumentSource::data_hash() const { return hash_tokens(tokens_); }

std::string DocumentSource::describe() const {
  return fmt::format("{} documents, the longest has {} characters", document_count(), longest_);
}

std::string DocumentSource::notice() const {
  if (too_long_ == 0) return {};
  return fmt::format(
      "{} of {} documents do not fit the block: of each, only the first {} positions are trained on",
      too_long_, document_count(), block_size_);
}

// ---- character stream ----------------------------------------------------------------------------------------

StreamSource::StreamSource(const std::u32string& text, std::shared_ptr<const Tokenizer> tokenizer,
                           const GptConfig& model, const TrainConfig& train, std::string_view source)
    : TokenSource(std::move(tokenizer), model, train),
      tokens_(tokenizer_->encode(text)),
      train_end_(tokens_.size() * 9 / 10),
      seed_(static_cast<std::uint64_t>(train.seed)) {
  const std::size_t window_size = static_cast<std::size_t>(block_size_) + 1;
  require(
      tokens_.size() - train_end_ >= window_size,
      "{}: {} characters are too few for --block-size {}: its last tenth must hold one window, {} characters",
      source, tokens_.size(), block_size_, window_size);
}

Sequence StreamSource::window(std::size_t begin, std::size_t end, std::int64_t s, int index,
                              std::uint32_t purpose) const {
  const auto step = static_cast<std::uint64_t>(s);
  const std::array<std::uint32_t, 4> words =
      philox4x32({static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32),
                  static_cast<std::uint32_t>(index), purpose},
                 {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  const std::uint64_t draw = (std::uint64_t{words[1]} << 32) | words[0];
  const std::size_t starts = end - begin - static_cast<std::size_t>(block_size_);
  return sequence_at(tokens_, begin + draw % starts, static_cast<std::size_t>(block_size_));
}

Sequence StreamSource::sequence_of(std::int64_t s, int index, int) const {
  return window(0, train_end_, s, index, 0);
}

int StreamSource::held_out_sequences() const { return std::numeric_limits<int>::max(); }

Sequence StreamSource::held_out_sequence(int index) const {
  return window(train_end_, tokens_.size(), 0, index, 1);
}

std::uint64_t StreamSource::data_hash() const { return hash_tokens(tokens_); }

std::string StreamSource::describe() const {
  return fmt::format("a stream of {} characters, the last {} held out", tokens_.size(),
                     tokens_.size() - train_end_);
}

}  // namespace ladder
