// Sums of many numbers, in an order that is always the same: strands first, then one thread.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: sums_j[j] = x_n[j] + x_n[j + J] + x_n[j + 2 J] + ...
// Shapes:   x_n [N] -> sums_j [J]
// Map:      one thread owns one strand and adds it in order
// Traffic:  reads N elements, neighbours beside neighbours, writes J
// FLOPs:    N
// Bound:    latency: N / J loads one after the other
// Differs from the previous rung: stage 1 adds in one loop; here J loops are under way at once
template <class T>
__global__ void sum_strands_kernel(int count, int strands, const T* x_n, T* sums_j) {
  const int j = static_cast<int>(line_index());
  if (j >= strands) return;
  T sum = 0;
  for (int n = j; n < count; n += strands) sum += x_n[n];
  sums_j[j] = sum;
}

// Computes: total += sum of x_n, or total = it
// Shapes:   x_n [N] -> total, one element
// Map:      one thread in all: the order of the sum is then always the same
// Traffic:  reads N elements, reads and writes 1
// FLOPs:    N
// Bound:    latency
// Differs from the previous rung: not at all: it is stage 1's loop on a much slower core
template <class T>
__global__ void sum_all_kernel(int count, const T* x_n, bool add, T* total) {
  if (line_index() != 0) return;
  T sum = 0;
  for (int n = 0; n < count; ++n) sum += x_n[n];
  *total = add ? *total + sum : sum;
}

}  // namespace ladder::LADDER_SIDE::stage2
