// One run trained twice: by the stage that is checked, and by another program or in another way.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "shared/base/temporary_folder.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/pytorch_training.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/history.hpp"

namespace ladder {

using Progress = std::function<void(const std::string&)>;

/// What training left on one side.
struct Trained {
  std::string name;  ///< "stage 4 bf16", "PyTorch 2.11.0, compiled, bf16"
  Dtype dtype = Dtype::fp32;
  bool emulated = false;  ///< by kernels of a GPU on the CPU
  std::vector<double> loss;
  std::vector<Evaluation> evaluations;
  double median_ms = 0.0;      ///< a step
  SavedModel weights;          ///< the best by held-out loss, or where nothing was evaluated the last
  std::filesystem::path file;  ///< of the weights

  /// The lowest held-out loss; NaN where nothing was evaluated.
  double best() const;
};

/// On `side`, from the run's initial weights; the weights are written to `file`. Throws CheckError as train() does.
Trained train_side(const Side& side, const Run& run, const std::filesystem::path& file,
                   const Progress& progress);

/// In PyTorch (pytorch_training.hpp), with files in `folder`.
Trained train_pytorch(const Run& run, const PytorchPlace& place, bool compiled,
                      const std::filesystem::path& folder, const Progress& progress);

}  // namespace ladder
