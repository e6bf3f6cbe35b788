// The chain from the interpreter up to the highest stage: the same work on every rung, timed side by side.
//
// Work is a slice: the first steps of one run, from its initial weights. Every slice returns its losses, and these are
// compared with the rung below after the race: a row has a time only if it did the same work in the very run that was
// timed. Rungs in the chain may be missing (no python3, no GPU, too slow for this size): they say why.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/baseline/interpreter.hpp"
#include "shared/parity/parity.hpp"
#include "shared/records/records.hpp"
#include "shared/speed/race.hpp"

namespace ladder {

/// ChainRow::stage of what is no stage.
inline constexpr int kInterpreterStage = -1, kPytorchStage = -2;

struct ChainSettings {
  GptConfig model;
  TrainConfig train;  ///< batch_size: of the rows without a batch size of their own
  DataOptions data;
  std::int64_t documents = 32;  ///< in one slice; a multiple of every batch size
  int batch = 16;               ///< extra rows of stage 1 and up at this batch size; 0: none
  int rounds = 5;
  int interpreter_rounds = 0;  ///< 0: as many as the others
  double patience = 60.0;      ///< seconds: a rung whose slice is expected to take longer is not run
  Device device = Device::automatic;
  int threads = 1;  ///< of every rung on a CPU; 0: all cores
  /// Rows of PyTorch beside the last of the rungs that runs as it is, on the device that it is for (pytorch_rows.hpp).
  bool pytorch = false;
  std::optional<Dtype> only =
      {};  ///< rungs of other types are left out, but for stage 1 in fp64, which proves them
};

struct ChainRow {
  std::string name;     ///< "interpreter", "stage 1 fp32", "stage 1 fp32, batch 16, 2 threads"
  std::string sources;  ///< which files its time depends on; see source_hash() in records.hpp
  int stage = kInterpreterStage;
  Dtype dtype = Dtype::fp64;
  std::string
      variant;  ///< how it differs from the stage as it is: "fused step", "batch 16, 2 threads"; empty: not at all
  std::int64_t parameters = 0;  ///< of its model
  int below = -1;               ///< index of the row it is compared with
  int ladder_below =
      -1;  ///< index of the row its speed is compared with: the stage below in its type, or its last
  std::string compared_with;
  bool shown = true;  ///< rows of the bottom of the chain at another batch size serve as a reference only
  bool emulated = false;
  std::string device;        ///< the GPU it ran on; empty for a CPU
  std::string not_run;       ///< the reason; empty when it ran
  std::vector<double> loss;  ///< of the last slice
  Comparison parity;         ///< of its losses with the row below
  double limit = 0.0;
  /// Steps compared, where rounding alone may grow later losses too far apart (see steady_steps()); 0: all.
  std::size_t steady_steps = 0;
  bool proven = false;  ///< its parity and that of every row below it passed
  /// Nothing below it ran: the rows above are compared with it, itself it is not proven.
  bool reference = false;
  Timing time;  ///< seconds per document; empty unless proven or a reference

  /// It ran, and differs from what it was compared with.
  bool failed() const { return not_run.empty() && !proven && !reference; }
};

/// The rungs of parity.hpp, and behind them the stages' variants that are raced.
std::vector<Rung> racing_rungs(Device device = Device::automatic, int threads = 0,
                               Architecture architecture = Architecture::microgpt);

/// Runs and compares the whole chain. `progress` hears what is being done.
std::vector<ChainRow> run_chain(const ChainSettings& settings,
                                const std::function<void(const std::string&)>& progress = {});

/// The same over given rungs (tests put broken ones here); the interpreter is not part of it.
std::vector<ChainRow> run_chain(const ChainSettings& settings, const std::vector<Rung>& rungs,
                                bool with_interpreter,
                                const std::function<void(const std::string&)>& progress);

/// Says which rows are proven, and drops the time of every row whose parity, or that of a row below it, did not pass.
/// Part of run_chain.
void keep_proven_times(std::vector<ChainRow>& rows);

/// The rows to show, as a record keeps them and tables print them: "seconds" (median), "q1", "q3", "min", "rounds",
/// "times_interpreter", "times_below", "times_pytorch" (of its fastest row in the same
/// type; all three only of rows that have a time), "parity_error", "parity_limit", "steady_steps", "compared_with",
/// "proven", "emulated", "not_run", and what the row is about: "stage", "variant", "parameters", as in ChainRow, and
/// "dtype", which the interpreter lacks. `hashes` false leaves the source hashes out (no source folder needed).
std::vector<RecordRow> record_rows(const std::vector<ChainRow>& rows, bool hashes);

}  // namespace ladder
