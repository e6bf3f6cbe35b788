// PyTorch as a contestant: tests/bench/pytorch_baseline.py beside this program, on the same weights and windows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/base/process.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/device/device_ops.hpp"
#include "shared/parity/pytorch_training.hpp"
#include "shared/train/run.hpp"

namespace ladder {

class PytorchRival {
 public:
  /// What a slice of steps left, from the initial weights.
  struct Slice {
    std::vector<double> loss;  ///< one a step
    double seconds = 0.0;      ///< of all of them, on the clock on the wall
  };

  /// For the first `steps` steps of `run`, a GPT-2's over windows. Throws InputError for another run, MachineError with
  /// what python3 said where it has no PyTorch, or no GPU of the number asked for.
  PytorchRival(const Run& run, std::int64_t steps, const PytorchPlace& place);

  /// Trains from the initial weights. The first call in each form compiles, where that is asked for. Throws MachineError
  /// when the memory does not suffice.
  Slice train(bool compiled, bool dropout);

  const std::string& version() const { return version_; }  ///< "PyTorch 2.11.0"

 private:
  TemporaryFolder folder_;
  std::int64_t steps_;
  std::unique_ptr<Companion> python_;
  std::string version_;
};

}  // namespace ladder
