// Training data: from a text to the token sequences of every step.
//
// Two kinds of data share one interface. Documents: each line is one, shuffled once, one after the other. A stream: one
// long text, or token files made of one, of which every step takes random windows. Neither keeps a position: what step
// s trains on is a function of s, so a resumed run needs no state to continue where it was.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/data/text.hpp"
#include "shared/data/token_stream.hpp"
#include "shared/data/tokenizer.hpp"
#include "shared/data/windows.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/config.hpp"

namespace ladder {

/// What is trained on, and what is not.
enum class DataPart { training, held_out };

/// The sequences of each step. Sequence `index` of step s, counted over all micro-batches, is what every stage and
/// every batch layout trains on.
///
/// A step may be shared out over ranks, processes that train one model side by side. Each rank has grad_accum
/// micro-batches of batch_size sequences, so a step then has `ranks` times as many: rank r's micro-batch g is
/// number g * ranks + r of the step. All ranks together train on exactly what one rank with ranks *
/// grad_accum micro-batches would.
class TokenSource {
 public:
  TokenSource(std::shared_ptr<const Tokenizer> tokenizer, const GptConfig& model, const TrainConfig& train);
  virtual ~TokenSource() = default;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  /// For what outlives the source.
  const std::shared_ptr<const Tokenizer>& shared_tokenizer() const { return tokenizer_; }

  /// The grad_accum micro-batches of batch_size sequences each that `rank` of `ranks` trains on in step s. Any thread
  /// may ask for any step. Throws InputError unless 0 <= rank < ranks and a step has at most 2^31-1 sequences.
  std::vector<Batch> step(std::int64_t s, Layout layout = Layout::packed, int rank = 0, int ranks = 1) const;

  /// 0 <= index < ranks * grad_accum * batch_size; 1 to block_size tokens with the token that follows each.
  Sequence sequence(std::int64_t s, int index, int ranks = 1) const {
    return sequence_of(s, index, ranks * batch_size_ * grad_accum_);
  }

  /// The most tokens that one rank's step can have.
  std::int64_t largest_step() const { return std::int64_t{batch_size_} * grad_accum_ * block_size_; }

  /// How many evaluation sequences of each part can be asked for: 0 where nothing is held out.
  virtual int held_out_sequences() const { return 0; }
  /// 0 <= index < held_out_sequences(), the same at every step. Throws InputError where nothing is held out.
  virtual Sequence evaluation_sequence(DataPart part, int index) const;

  /// Hash of the token and target numbers of step 0: equal on every stage that trains on the same data.
  std::uint64_t token_hash() const;
  /// Hash of all tokens in the run's order; a resumed run compares it.
  virtual std::uint64_t data_hash() const = 0;
  /// One clause for the configuration that a run prints first: "1043 documents, the longest has 11 characters".
  virtual std::string describe() const = 0;
  /// A sentence for stderr where the data do not fit the block or lack something; empty otherwise.
  virtual std::string notice() const { return {}; }

 protected:
  /// Sequence `index` of step s, where each step has `per_step` of them.
  virtual Sequence sequence_of(std::int64_t s, int index, int per_step) const = 0;

  std::shared_ptr<const Tokenizer> tokenizer_;
  int block_size_, batch_size_, grad_accum_;
};

/// Document (s * n + index) mod D, where a step has n sequences: [BOS] + ids + [BOS], of which the first
/// min(block_size, length - 1) positions.
class DocumentSource final : public TokenSource {
 public:
  /// `documents` in the order in which they are trained on.
  DocumentSource(const std::vector<std::u32string>& documents, std::shared_ptr<const Tokenizer> tokenizer,
                 const GptConfig& model, const TrainConfig& train);

  std::uint64_t data_hash() const override;
  std::string describe() const override;
  std::string notice() const override;

  std::size_t document_count() const { return starts_.size() - 1; }

 private:
  Sequence sequence_of(std::int64_t s, int index, int per_step) const override;

  OwnedTokens tokens_;               ///< BOS ids BOS ids ... BOS: neighbours share one BOS
  std::vector<std::size_t> starts_;  ///< the BOS before each document, and the last BOS
  std::size_t longest_ = 0;          ///< characters
  std::size_t too_long_ = 0;         ///< documents with more positions than the block
};

/// Windows of a stream's first part; the second part, where there is one, is held out.
class StreamSource final : public TokenSource {
 public:
  /// Throws InputError when a part is shorter than one window.
  StreamSource(TokenStream stream, const GptConfig& model, const TrainConfig& train);

  /// Windows of either part, drawn in the same way, so there is no end to them.
  int held_out_sequences() const override;
  Sequence evaluation_sequence(DataPart part, int index) const override;
  std::uint64_t data_hash() const override { return stream_.hash; }
  std::string describe() const override { return stream_.description; }
  std::string notice() const override { return stream_.notice; }

 private:
  Sequence sequence_of(std::int64_t s, int index, int per_step) const override;

  TokenStream stream_;
  Windows training_, evaluated_;  ///< of the part that is trained on
  std::optional<Windows> held_out_;
};

}  // namespace ladder
