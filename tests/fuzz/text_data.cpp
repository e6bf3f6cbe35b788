#include <algorithm>

#include "shared/train/run.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

/// The first two steps of a run on the text, cut one way.
void take_steps(bool stream) {
  GptConfig model;
  model.n_embd = model.n_head = 1;
  model.block_size = 3;
  TrainConfig train;
  train.steps = 2;
  train.batch_size = 2;
  const Run run = prepare_run(model, train, {(folder() / "text.txt").string(), stream});
  const int vocabulary = run.source->tokenizer().vocab_size();
  expect(vocabulary == run.model.vocab_size, "a model of another vocabulary than its text");
  for (const std::int64_t step : {0, 1})
    for (const Batch& batch : run.source->step(step))
      for (const std::vector<std::int32_t>* tokens : {&batch.tokens_n, &batch.targets_n})
        for (const std::int32_t token : *tokens)
          expect(token >= 0 && token < vocabulary, "a token beyond the vocabulary");
  expect(!run.source->describe().empty(), "data that nothing can be said of");
}

void read(std::string_view bytes) {
  put(folder() / "text.txt", bytes);
  for (const bool stream : {false, true}) may_refuse([=] { take_steps(stream); });
}

std::vector<std::string> seeds() {
  std::string hello;
  for (int i = 0; i < 9; ++i) hello += "hello\nworld\n";
  return {"a\n",
          hello,
          "  zo\u00eb \r\n\n\u8336\r\u00a0\u2003\n",
          std::string("\xEF\xBB\xBF") + "mark\nof order\n",
          std::string("a\0b\n", 4),
          "no line's end",
          "\xF0\x9F\x92\xA9\xF4\x8F\xBF\xBF\n",
          "\n \n\t\n",
          ""};
}

}  // namespace

const Target text_data = {"text_data", read, seeds};

}  // namespace ladder::fuzz
