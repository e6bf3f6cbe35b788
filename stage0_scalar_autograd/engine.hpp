// Stage 0 as an Engine: the tape, its parameters and Adam's moments.
#pragma once

#include <memory>

#include "shared/train/engine.hpp"
#include "stage0_scalar_autograd/tape.hpp"

namespace ladder::stage0 {

/// `sums` chooses how the tape records sums; spelled_out is the slow lesson and the oracle of the tests.
/// `config` is a valid shape (see validate()). Throws InputError for grouped-query attention, which starts at stage 1.
std::unique_ptr<Engine> make_engine(const GptConfig& config, Sums sums = Sums::fused);

}  // namespace ladder::stage0
