#include "shared/speed/pytorch_rival.hpp"

#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"

namespace ladder {
namespace {

constexpr const char* kSource = "the answer of PyTorch";

/// The windows of the first steps as int32, one behind the other: block + 1 tokens each.
std::string windows_of(const Run& run, std::int64_t steps) {
  std::vector<std::int32_t> tokens;
  const int per_step = run.train.batch_size * run.train.grad_accum;
  for (std::int64_t s = 0; s < steps; ++s)
    for (int i = 0; i < per_step; ++i) {
      const Sequence sequence = run.source->sequence(s, i);
      require(static_cast<int>(sequence.tokens.size()) == run.model.block_size,
              "it trains on windows, not on lines");
      tokens.insert(tokens.end(), sequence.tokens.begin(), sequence.tokens.end());
      tokens.push_back(sequence.targets.back());
    }
  return {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(std::int32_t)};
}

}  // namespace

PytorchRival::PytorchRival(const Run& run, std::int64_t steps, const PytorchPlace& place) : steps_(steps) {
  PytorchCall call = pytorch_call(run, place, folder_.path());
  const auto windows = folder_ / "windows.bin";
  write_file(windows, windows_of(run, steps));
  call.words.insert(call.words.end(), {"--serve", windows.string()});
  python_ = std::make_unique<Companion>(call.words, folder_ / "log.txt", call.variables);
  version_ = member_of<std::string>(json_object(python_->read(), kSource), "version", kSource);
}

PytorchRival::Slice PytorchRival::train(bool compiled, bool dropout) {
  const Json request = {{"compiled", compiled}, {"dropout", dropout}, {"steps", steps_}};
  const Json answer = json_object(python_->ask(request.dump()), kSource);
  if (answer.contains("problem")) throw MachineError(member_of<std::string>(answer, "problem", kSource));
  return {doubles_of(member_of<Json>(answer, "losses", kSource)),
          member_of<double>(answer, "seconds", kSource)};
}

}  // namespace ladder
