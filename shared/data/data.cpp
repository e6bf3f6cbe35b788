#include "shared/data/data.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/text_table.hpp"

namespace ladder {
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
    stop_if_interrupted();
    for (int b = 0; b < batch_size_; ++b)
      sequences[static_cast<std::size_t>(b)] = sequence(s, (g * ranks + rank) * batch_size_ + b, ranks);
    micro_batches.push_back(make_batch(sequences, layout, block_size_));
  }
  return micro_batches;
}

Sequence TokenSource::evaluation_sequence(DataPart, int index) const {
  throw InputError(
      fmt::format("evaluation sequence {} was asked for: of these data nothing is held out", index));
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
    : TokenSource(std::move(tokenizer), model, train), tokens_(tokenizer_->vocab_size()), starts_{0} {
  tokens_.append(tokenizer_->bos());
  for (const std::u32string& document : documents) {
    tokens_.append(tokenizer_->encode(document));
    tokens_.append(tokenizer_->bos());
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
  return tokens_.view().sequence(starts_[document],
                                 std::min(positions, static_cast<std::size_t>(block_size_)));
}

std::uint64_t DocumentSource::data_hash() const {
  Hash64 hash;
  tokens_.view().add_to(hash);
  return hash.value();
}

std::string DocumentSource::describe() const {
  return fmt::format("{}, the longest has {}", counted(document_count(), "document"),
                     counted(longest_, "character"));
}

std::string DocumentSource::notice() const {
  if (too_long_ == 0) return {};
  return fmt::format(
      "{} of {} documents do not fit the block: of each, only the first {} positions are trained on",
      too_long_, document_count(), block_size_);
}

// ---- stream --------------------------------------------------------------------------------------------------

StreamSource::StreamSource(TokenStream stream, const GptConfig& model, const TrainConfig& train)
    : TokenSource(stream.tokenizer, model, train),
      stream_(std::move(stream)),
      training_(stream_.training, block_size_, static_cast<std::uint64_t>(train.seed), WindowsFor::training,
                stream_.name, tokenizer_->vocab_size()),
      evaluated_(stream_.training, block_size_, static_cast<std::uint64_t>(train.seed),
                 WindowsFor::evaluation, stream_.name, tokenizer_->vocab_size()) {
  if (!stream_.held_out.empty())
    held_out_.emplace(stream_.held_out, block_size_, static_cast<std::uint64_t>(train.seed),
                      WindowsFor::held_out, stream_.held_out_name, tokenizer_->vocab_size());
}

Sequence StreamSource::sequence_of(std::int64_t s, int index, int) const { return training_.draw(s, index); }

int StreamSource::held_out_sequences() const {
  return held_out_ ? std::numeric_limits<int>::max() : TokenSource::held_out_sequences();
}

Sequence StreamSource::evaluation_sequence(DataPart part, int index) const {
  if (!held_out_) return TokenSource::evaluation_sequence(part, index);
  return part == DataPart::held_out ? held_out_->draw(0, index) : evaluated_.draw(0, index);
}

}  // namespace ladder
