// The same text as on the GPU, built for the CPU model by the C++ compiler. Both may be in one program: each
// has its own namespace (see shared/simt/launch.hpp).
#include "stage2_naive_cuda/ops_cuda.cu"
