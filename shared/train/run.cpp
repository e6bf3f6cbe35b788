#include "shared/train/run.hpp"

namespace ladder {

Run prepare_run(GptConfig model, const TrainConfig& train, const DataOptions& data) {
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
  const auto tokenizer =
      std::make_shared<CharacterTokenizer>(CharacterTokenizer::of(texts, !data.character_stream));
  model.vocab_size = tokenizer->vocab_size();
  validate(model);
  run.model = model;
  if (data.character_stream)
    run.source =
        std::make_unique<StreamSource>(texts.front(), tokenizer, model, train, source_name(data.path));
  else
    run.source = std::make_unique<DocumentSource>(texts, tokenizer, model, train);
  run.initial = initial_parameters(model, run.random);
  return run;
}

}  // namespace ladder
