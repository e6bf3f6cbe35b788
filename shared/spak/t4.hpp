// Results for other tuners: the T4 format (Open Autotuning Results Schema 1.0.0) and Kernel Tuner's cache file, whose search
// strategies then run on our traces in simulation. Both formats are described at
// https://github.com/KernelTuner/kernel_tuner (kernel_tuner/schema, kernel_tuner.util.process_cache).
#pragma once

#include <string>
#include <vector>

#include "shared/spak/tune.hpp"

namespace ladder::spak {

/// {"schema_version", "metadata", "results": [{"timestamp", "configuration", "times", "invalidity", "correctness",
/// "measurements", "objectives"}]}, one result an item that belongs to the loop. Times are in milliseconds.
Json t4_of(const Space& space, const EngineeringLoop& loop, const Measuring& measuring,
           const std::vector<Json>& items);

/// {"device_name", "kernel_name", "problem_size", "tune_params_keys", "tune_params", "objective", "cache": {"64,4": {...}}};
/// the keys of the cache are the values as Python prints them. A metric that is a time stands there in milliseconds as "time",
/// too. Points of the space that no item is of are left out; of several items the last counts.
Json kernel_tuner_cache_of(const Space& space, const EngineeringLoop& loop, const Measuring& measuring,
                           const std::vector<Json>& items);

/// The items of a T4 file: of the loop `loop` of `system`, with the measurements under their own names; "samples" and the middle
/// half where it gives run times. Throws InputError naming the file and what is missing or of another kind in it.
std::vector<Json> items_of_t4(const Json& file, const std::string& system, const std::string& loop,
                              std::string_view name);

}  // namespace ladder::spak
