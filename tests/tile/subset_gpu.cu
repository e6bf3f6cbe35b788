// The subset's kernels on a GPU.
#include "tests/tile/subset_run.cuh"
