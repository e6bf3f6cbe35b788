#include "shared/train/run.hpp"

#include <utility>

#include "shared/base/checked_size.hpp"
#include "shared/data/text.hpp"
#include "shared/data/token_files.hpp"
#include "shared/train/engine_memory.hpp"

namespace ladder {
namespace {

std::unique_ptr<TokenSource> stream_source(const GptConfig& model, const TrainConfig& train,
                                           const DataOptions& data) {
  return std::make_unique<StreamSource>(read_stream(data, model.block_size), model, train);
}

/// Shuffles the documents with `random`.
std::unique_ptr<TokenSource> document_source(const GptConfig& model, const TrainConfig& train,
                                             const DataOptions& data, Random& random) {
  refuse_token_files(data.path);
  std::vector<std::u32string> documents = split_documents(read_text(data), source_name(data));
  random.shuffle(documents);
  auto tokenizer = std::make_shared<CharacterTokenizer>(CharacterTokenizer::of(documents, /*with_bos=*/true));
  return std::make_unique<DocumentSource>(documents, std::move(tokenizer), model, train);
}

}  // namespace

Run prepare_data(GptConfig model, const TrainConfig& train, const DataOptions& data) {
  validate(train);
  model.vocab_size = 1;  // not known yet; all other sizes are checked before a large file is read
  validate(model);
  Run run;
  run.train = train;
  run.data = data;
  run.random = Random(static_cast<std::uint64_t>(train.seed));
  run.source = data.character_stream ? stream_source(model, train, data)
                                     : document_source(model, train, data, run.random);
  run.model = with_vocabulary(model, run.source->tokenizer().vocab_size());
  return run;
}

void draw_initial(Run& run, Dtype dtype) {
  const ParameterSpecs specs = parameter_specs(run.model);
  require_host_memory(parameter_count(specs) * size_of(dtype), "the initial weights");
  run.initial = initial_parameters(specs, run.random, dtype);
}

Run prepare_run(GptConfig model, const TrainConfig& train, const DataOptions& data, Dtype dtype,
                const AcceptRun& accept) {
  Run run = prepare_data(model, train, data);
  require_host_memory(
      checked_sum({checked_product({parameter_count(run.model), size_of(dtype)}, "the initial weights"),
                   step_batches_bytes(run.model, train.batch_size, train.grad_accum)},
                  "this run"),
      "this run");
  if (accept) accept(run);
  draw_initial(run, dtype);
  return run;
}

}  // namespace ladder
