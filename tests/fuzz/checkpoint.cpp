#include "shared/train/checkpoint.hpp"

#include <cmath>

#include "shared/base/files.hpp"
#include "shared/stages.hpp"
#include "shared/train/safetensors.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

void expect_numbers(const TensorList& tensors) {
  for (const NamedTensor& tensor : tensors)
    for (const double value : tensor.values())
      expect(std::isfinite(value), "a weight or moment that is no number");
}

void read(std::string_view bytes) {
  put(checkpoint_file(folder()), bytes);
  may_refuse([] {
    const Checkpoint checkpoint = load_checkpoint(folder());
    expect(checkpoint.steps_done() >= 0 && checkpoint.steps_done() <= checkpoint.train.steps,
           "steps beyond the run");
    expect(checkpoint.tokenizer != nullptr, "a checkpoint without a tokenizer");
    expect_numbers(checkpoint.parameters);
    expect_numbers(checkpoint.moments.m);
    expect_numbers(checkpoint.moments.v);
  });
  may_refuse([] { expect_numbers(load_model(folder()).parameters); });
}

/// Of a run of one step of the smallest model: `file` with its checksum, and as files were before they had one.
std::vector<std::string> seeds() {
  GptConfig model;
  model.n_embd = model.n_head = 1;
  model.block_size = 2;
  TrainConfig train;
  train.steps = 2;
  train.dtype = Dtype::fp32;
  put(folder() / "text.txt", "a\n");
  const Run run = prepare_run(model, train, {(folder() / "text.txt").string()});
  const auto engine = make_engine(1, run.model, {});
  engine->load_parameters(run.initial);
  TrainHistory history;
  history.loss.push_back(engine->train_step(run.source->step(0), step_constants(run.train, 0)));
  save_checkpoint(checkpoint_file(folder()), make_checkpoint(1, run, *engine, history));
  const std::string whole = read_file(checkpoint_file(folder()));
  Safetensors file = read_safetensors(checkpoint_file(folder()));
  file.metadata.erase("checksum");
  std::vector<StoredTensor> stored;
  for (const NamedTensor& tensor : file.tensors) stored.push_back({tensor.name, &tensor, tensor.dtype()});
  write_safetensors(checkpoint_file(folder()), stored, file.metadata);
  return {whole, read_file(checkpoint_file(folder()))};
}

}  // namespace

const Target checkpoint = {"checkpoint", read, seeds};

}  // namespace ladder::fuzz
