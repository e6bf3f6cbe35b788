// Where a step's time goes: per operation, beside the bytes and FLOPs that it needs and what this machine can do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/records/records.hpp"
#include "shared/stages.hpp"
#include "shared/train/run.hpp"

namespace ladder {

/// Measured by this program when it profiles, on the threads and in the type of the stage.
/// What a copy reaches depends on where its data lie: caches are several times faster than memory.
struct CopyCeiling {
  double bytes = 0.0;  ///< moved by one copy, read plus written
  double bytes_per_second = 0.0;
};

struct Ceilings {
  std::vector<CopyCeiling> copies;  ///< by size, ascending; the last is that of memory
  double flops_per_second = 0.0;
  bool data_sheet = false;  ///< flops_per_second is what the card's data sheet says of its tensor cores

  /// Of a copy as large as an operation that moves `bytes`: interpolated over the logarithm of the size.
  double bytes_per_second(double bytes) const;
  double memory() const { return copies.empty() ? 0.0 : copies.back().bytes_per_second; }
};

/// On a CPU memcpy and Eigen's product of 512 x 512 x 512; on a GPU what measure_gpu_ceilings() finds, but for types that
/// its tensor cores multiply the peak of the data sheet, where that is known (model_flops.hpp).
Ceilings measure_ceilings(int stage, const EngineOptions& options);

/// One line of the profile.
struct ProfileRow {
  std::string name;
  double launches = 0.0;            ///< a step
  double seconds = 0.0;             ///< median of one launch
  double share = 0.0;               ///< of the step's time
  double bytes = 0.0, flops = 0.0;  ///< that one launch needs by definition; 0 where that is not counted
  /// Of the ceilings; above 1 where data of the previous operation was still nearer.
  double copy_share = 0.0, arithmetic_share = 0.0;
  std::string bound;  ///< "copy", "arithmetic", or "launch" for a short one within a factor of ten of neither
  double bytes_requested = 0.0;  ///< that one launch asked memory for; 0 where the stage does not count
  /// Seconds of a step beyond what the launches would take at the nearer ceiling: what a perfect kernel would save.
  double above_floor = 0.0;
};

struct Profile {
  Ceilings ceilings;
  double step_seconds = 0.0;   ///< median of undisturbed steps, without a clock around each operation
  double parts_seconds = 0.0;  ///< mean of the profiled steps
  std::vector<ProfileRow> rows;
  bool emulated = false;
};

/// Profiles `steps` steps of the run after a warm-up. Stage 0 has no operations on tensors: its rows are the phases of
/// a step (forward; order and backward; Adam), taken from steps over one and two copies of the same batch.
Profile profile_stage(int stage, const Run& run, const EngineOptions& options, int steps);

/// The `count` operations furthest above their floors, the furthest first: "bias_backward 18.3 ms, ..." of a step. Empty
/// where bytes and FLOPs are not counted.
std::string largest_gaps(const Profile& profile, std::size_t count);

/// Which ceiling a launch of `seconds` is nearest to, from its shares of the two.
std::string bound_of(double copy_share, double arithmetic_share, double seconds);

/// As a record keeps them.
std::vector<RecordRow> record_rows(const Profile& profile, int stage, bool hashes);

}  // namespace ladder
