#include "shared/train/run.hpp"

namespace ladder {

Run prepare_run(GptConfig model, const TrainConfig& train, const DataOptions& data, Dtype dtype) {
  validate(train);
  model.vocab_size = 1;  // not known yet; all other sizes are checked before a large file is read
  validate(model);
  Run run;
  run.train = train;
  run.data = data;
  run.random = Random(static_cast<std::uint64_t>(train.seed));
  std::vector<std::u32string> texts = {read_text(data.path)};
  if (!data.character_stream) {
    texts = split_documents(texts.front(), source_name(data.path));
    run.random.shuffle(texts);
  }
  const Tokenizer tokenizer = Tokenizer::of(texts, !data.character_stream);
  model = with_vocabulary(model, tokenizer.vocab_size());
  run.model = model;
  if (data.character_stream)
    run.source =
        std::make_unique<StreamSource>(texts.front(), tokenizer, model, train, source_name(data.path));
  else
    run.source = std::make_unique<DocumentSource>(texts, tokenizer, model, train);
  run.initial = initial_parameters(parameter_specs(model), run.random, dtype);
  return run;
}

}  // namespace ladder
