// The rows of PyTorch in a race: eager and compiled, in one process beside this one.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "shared/speed/chain.hpp"
#include "shared/speed/pytorch_rival.hpp"

namespace ladder {

class PytorchRows {
 public:
  /// Beside `partner` of the chain, in its type. Proves both forms before the race: their losses without dropout against
  /// those of `side`, since masks of two programs differ. Whatever keeps PyTorch from running ends in the rows.
  PytorchRows(const ChainSettings& settings, const Run& run, const ChainRow& partner, const Side& side);

  /// Those of the forms that can run, in their order.
  std::vector<Contestant> contestants();
  /// The rows, with the times of contestants() as race() gives them.
  std::vector<ChainRow> rows(const std::vector<Timing>& timings) const;

 private:
  struct Form {
    ChainRow row;
    bool compiled;
    double seconds = 0.0;  ///< of the last slice
    bool races = false;
  };

  void prove(Form& form, const std::vector<double>& want);
  void run_slice(Form& form);

  double documents_;
  std::unique_ptr<PytorchRival> rival_;
  std::array<Form, 2> forms_;
};

/// What the rows of PyTorch say about the row that they were compared with: proven by them, where nothing below it ran.
void prove_by_pytorch(std::vector<ChainRow>& rows);

}  // namespace ladder
