// The five steps by which somebody who takes over this code, or the weights of another program, checks a stage:
//
//   1  expanded parity: every operation, block, gradient and loss of both model texts against stage 1 in double
//   2  trained weights on two sides: block by block, logits, and the same greedy text
//   3  weights that PyTorch trained: imported, their logits and greedy text are PyTorch's
//   4  a whole training run, beside another's: ms a step, losses, held-out loss
//   5  both models' losses and samples, side by side
//
// The runs of step 4 come first, since 2, 3 and 5 look at their weights. The other side is PyTorch where python3 has it;
// else stage 1 in double, or where that would take too long the stage itself in fp32.
#pragma once

#include <string>
#include <vector>

#include "shared/checklist/trainings.hpp"
#include "shared/report/report.hpp"

namespace ladder {

struct ChecklistSettings {
  int stage = 4;
  Dtype dtype = Dtype::fp32;                 ///< of the training run
  std::vector<Dtype> types = {Dtype::fp32};  ///< of steps 1 and 2
  Device device = Device::automatic;
  int threads = 0;
  GptConfig model;  ///< a GPT-2
  TrainConfig train;
  DataOptions data;
  std::int64_t parity_steps = 30;     ///< of each loss curve of step 1
  int samples = 2, max_tokens = 200;  ///< of step 5, each
  int greedy_tokens = 50;             ///< of steps 2 and 3
  bool pytorch = true;                ///< false: as if python3 had none
};

/// Runs all five, whatever fails on the way: a step that cannot be run says why. Throws InputError for settings and data
/// that are none, MachineError where the stage cannot run at all.
ReportChecklist run_checklist(const ChecklistSettings& settings, const Progress& progress = {});

/// As text: a line a step, and what it measured.
std::string text_of(const ReportChecklist& checklist);
Json to_json(const ReportChecklist& checklist);
/// A row a step, for a record; "outcome", "summary" and "seconds".
std::vector<RecordRow> record_rows(const ReportChecklist& checklist, const std::string& sources, bool hashes);

}  // namespace ladder
