// The one table of configurations of this stage's own kernels, beside stage 3's. Nothing else here holds a tile size.
#pragma once

#include "stage4_nanogpt/configs/attention.hpp"
#include "stage4_nanogpt/configs/rows.hpp"
