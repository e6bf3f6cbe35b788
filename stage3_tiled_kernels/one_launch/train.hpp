// The training loop where a launch is many steps: what shared/train/train.hpp is where a step is many launches.
#pragma once

#include "shared/train/train.hpp"
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

namespace ladder {

/// Most steps of one launch: a stop is answered and the losses are shown between launches.
inline constexpr std::int64_t kStepsPerLaunch = 5000;

/// As train(), with `engine` holding the parameters and moments before and after. Steps are cut into launches of
/// kStepsPerLaunch, and where `cut_every` is not 0 also at its multiples, where a checkpoint may be due; hooks are
/// called for every step once its launch is done, a step's time being its share of the launch. A loss that is not
/// finite ends the run as in train(); the engine then holds what it held before that launch.
TrainResult train_one_launch(OneLaunch& model, Engine& engine, const TokenSource& source,
                             const TrainConfig& train, std::int64_t cut_every, const TrainHooks& hooks = {},
                             std::vector<double> earlier_loss = {});

}  // namespace ladder
