// The subset's kernels on the CPU model.
#include "tests/tile/subset_run.cuh"
