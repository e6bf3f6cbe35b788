// A training run as a record, for the READMEs.
#pragma once

#include <optional>

#include "shared/cli/train_session.hpp"
#include "shared/records/records.hpp"
#include "shared/train/train.hpp"

namespace ladder::cli {

/// The record run-NAME, whose row says what run_picture.hpp shows. `share_of_tokens` is what a token a second is of the
/// card's peak, where that is known.
Record record_of(const Session& session, const TrainFlags& flags, const TrainResult& result,
                 std::optional<double> share_of_tokens);

}  // namespace ladder::cli
