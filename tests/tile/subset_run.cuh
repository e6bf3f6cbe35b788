// Runs subset_kernels.cuh on the side that the including file is compiled for.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "shared/simt/launch.hpp"
#include "tests/tile/subset_kernels.cuh"
#include "tests/tile/subset_run.hpp"

namespace ladder::LADDER_SIDE {

/// Named slots of one kernel's output. `tolerance` is relative; 0 asks for equal bits.
struct SlotName {
  const char* name;
  double tolerance;
};

class SubsetRun {
 public:
  template <class T>
  T* given(const std::vector<T>& values) {
    auto* data = static_cast<T*>(runtime_.allocate(values.size() * sizeof(T)));
    runtime_.upload(data, values.data(), values.size() * sizeof(T));
    return data;
  }
  template <class T>
  T* room(std::size_t count) {
    return given(std::vector<T>(count, T(0.0F)));
  }
  /// Takes 64 elements a name out of `out`.
  template <class T>
  void collect(const std::string& group, const T* out, const std::vector<SlotName>& names) {
    std::vector<T> values(names.size() * 64);
    runtime_.download(values.data(), out, values.size() * sizeof(T));
    for (std::size_t s = 0; s < names.size(); ++s) {
      SubsetSlot slot{group + " " + names[s].name, names[s].tolerance, {}};
      for (std::size_t i = 0; i < 64; ++i) slot.values.push_back(static_cast<double>(values[s * 64 + i]));
      slots_.push_back(slot);
    }
  }
  Stream& stream() { return runtime_.stream(); }
  std::vector<SubsetSlot> slots() { return slots_; }

 private:
  Runtime runtime_{CudaOptions{.threads = 1, .graphs = false}};
  std::vector<SubsetSlot> slots_;
};

/// 64 numbers between -4 and 4, made so that awkward ones are among them when `awkward`: zeros of both signs,
/// infinities, NaN, ties of every 16-bit type.
template <class T>
std::vector<T> subset_numbers(unsigned seed, bool awkward) {
  std::mt19937 engine(seed);
  std::vector<T> values;
  for (int i = 0; i < 64; ++i)
    values.push_back(T(static_cast<float>(static_cast<int>(engine() % 8192) - 4096) / 1024.0F));
  const float special[] = {0.0F,    -0.0F,           INFINITY, -INFINITY, NAN,   257.0F,
                           2049.0F, 1.0F + 0x1p-11F, 0x1p-25F, 65520.0F,  3e38F, 0x1.8p-24F};
  if (awkward)
    for (std::size_t i = 0; i < std::size(special); ++i) values[(i * 5 + seed) % 64] = T(special[i]);
  return values;
}

template <class T>
std::vector<T> small_integers(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<T> values(count);
  for (T& value : values) value = T(static_cast<float>(static_cast<int>(engine() % 9) - 4));
  return values;
}

/// The groups that every computing type has. `loose` bounds what a GPU's approximate functions may differ by.
template <class T>
void run_floats(SubsetRun& run, const std::string& type, double loose) {
  T* a = run.given(subset_numbers<T>(1, true));
  T* b = run.given(subset_numbers<T>(2, true));
  T* out = run.room<T>(15 * 64);
  launch(run.stream(), subset_arithmetic<T>, {"subset_arithmetic", 1}, a, b, out);
  run.collect(type, out,
              {{"+", 0},
               {"-", 0},
               {"*", 0},
               {"/", 0},
               {"negate", 0},
               {"fma", 0},
               {"abs", 0},
               {"max", 0},
               {"min", 0},
               {"max, NaN kept", 0},
               {"select", 0},
               {"2 a + 1", 0},
               {"sqrt", 0},
               {"floor", 0},
               {"ceil", 0}});
  int* truth = run.room<int>(11 * 64);
  launch(run.stream(), subset_comparisons<T>, {"subset_comparisons", 1}, a, b, truth);
  run.collect(type, truth,
              {{"<", 0},
               {"<=", 0},
               {">", 0},
               {">=", 0},
               {"==", 0},
               {"!=", 0},
               {"&&", 0},
               {"||", 0},
               {"!", 0},
               {"isnan", 0},
               {"isinf", 0}});
  T* plain = run.given(subset_numbers<T>(3, false));
  T* results = run.room<T>(9 * 64);
  launch(run.stream(), subset_mathematics<T>, {"subset_mathematics", 1}, plain, results);
  run.collect(type, results,
              {{"exp", loose},
               {"exp2", loose},
               {"log", loose},
               {"log2", loose},
               {"rsqrt", loose},
               {"tanh", loose},
               {"sin", loose},
               {"cos", loose},
               {"pow", 4 * loose}});
  T* shapes = run.room<T>(11 * 64);
  launch(run.stream(), subset_shapes<T>, {"subset_shapes", 1}, plain, b, shapes);
  run.collect(type, shapes,
              {{"transpose", 0},
               {"reshape", 0},
               {"permute", 0},
               {"broadcast", 0},
               {"cat<0>", 0},
               {"cat<1>", 0},
               {"zeros", 0},
               {"ones", 0},
               {"full", 0},
               {"reduce_max", 0},
               {"reduce_min", 0}});
  T* integers = run.given(small_integers<T>(64, 4));
  T* sums = run.room<T>(3 * 64);
  launch(run.stream(), subset_sums<T>, {"subset_sums", 1}, integers, sums);
  run.collect(type, sums, {{"sum<0>, exact", 0}, {"sum<1>, exact", 0}, {"prod<1>", loose}});
  launch(run.stream(), subset_sums<T>, {"subset_sums", 1}, plain, sums);
  run.collect(type, sums, {{"sum<0>, rounded", 8 * loose}, {"sum<1>, rounded", 8 * loose}});
}

/// mma on small integers, whose sums are exact in any order: the bits must agree. 16 slots of 64.
template <class T, class Acc, class Kernel>
void run_mma(SubsetRun& run, const std::string& name, Kernel kernel) {
  T* a = run.given(small_integers<T>(1024, 5));
  T* b = run.given(small_integers<T>(1024, 6));
  Acc* out = run.room<Acc>(1024);
  launch(run.stream(), kernel, {"subset_mma", 1}, a, b, out);
  run.collect(name, out, std::vector<SlotName>(16, {"mma, exact", 0}));
}

inline void run_integers(SubsetRun& run) {
  std::mt19937 engine(9);
  std::vector<int> first, second;
  for (int i = 0; i < 64; ++i) {
    first.push_back(static_cast<int>(engine()) >> (i % 24));
    second.push_back(
        static_cast<int>(engine() % 2 == 0 ? 1 + engine() % 9 : -1 - static_cast<int>(engine() % 9)));
  }
  int* out = run.room<int>(20 * 64);
  launch(run.stream(), subset_integers, {"subset_integers", 1}, run.given(first), run.given(second), out);
  run.collect("int32", out, {{"+", 0},       {"-", 0},   {"*", 0},          {"/", 0},      {"%", 0},
                             {"ceildiv", 0}, {"&", 0},   {"|", 0},          {"^", 0},      {"<<", 0},
                             {">>", 0},      {"min", 0}, {"max", 0},        {"abs", 0},    {"negate", 0},
                             {"bool", 0},    {"sum", 0}, {"reduce_max", 0}, {"any_of", 0}, {"all_of", 0}});
  launch(run.stream(), subset_words, {"subset_words", 1}, run.given(first), run.given(second), out);
  run.collect("uint32", out,
              {{"*", 0},
               {"mulhi", 0},
               {"mulhi of a constant", 0},
               {"+", 0},
               {"^", 0},
               {">=", 0},
               {"mulhi of int32", 0}});
  int* numbers = run.room<int>(64);
  launch(run.stream(), subset_grid, {"subset_grid", {4, 2, 8}}, numbers);
  run.collect("grid", numbers, {{"bid, num_blocks", 0}});
}

inline void run_conversions(SubsetRun& run) {
  float* out = run.room<float>(6 * 64);
  launch(run.stream(), subset_casts, {"subset_casts", 1}, run.given(subset_numbers<float>(7, true)), out);
  run.collect("cast fp32 to", out,
              {{"bf16", 0}, {"fp16", 0}, {"tf32", 0}, {"fp64", 0}, {"int32", 0}, {"bits", 0}});
  std::vector<double> numbers = subset_numbers<double>(8, true);
  for (std::size_t i = 0; i < 16; ++i)
    numbers[i] = (i % 2 == 0 ? 257.0 : 2049.0) * (1.0 + std::ldexp(static_cast<double>(i) - 8, -50));
  launch(run.stream(), subset_narrowing, {"subset_narrowing", 1}, run.given(numbers), out);
  run.collect("cast fp64 to", out, {{"fp32", 0}, {"bf16", 0}, {"fp16", 0}});
  launch(run.stream(), subset_approximate, {"subset_approximate", 1},
         run.given(subset_numbers<float>(3, false)), out);
  run.collect("approximate", out, {{"exp", 1e-5}, {"tanh", 1e-2}, {"exp2 flushed", 1e-5}, {"div", 1e-5}});
}

inline void run_memory(SubsetRun& run) {
  float* out = run.room<float>(10 * 64);
  launch(run.stream(), subset_memory, {"subset_memory", 1}, run.given(subset_numbers<float>(10, false)), out,
         5, 7, 8);
  run.collect("memory", out,
              {{"view, zero tail", 0},
               {"view, -inf tail", 0},
               {"view, NaN tail", 0},
               {"strides", 0},
               {"transposed", 0},
               {"mixed extents", 0},
               {"load_masked", 0},
               {"store_masked", 0},
               {"view store", 0},
               {"irange", 0}});
}

std::vector<SubsetSlot> run_subset() {
  SubsetRun run;
  run_floats<float>(run, "fp32", 1e-5);
  run_floats<double>(run, "fp64", 1e-12);
  run_floats<__nv_bfloat16>(run, "bf16", 1e-2);
  run_floats<__half>(run, "fp16", 2e-3);
  run_mma<float, float>(run, "fp32", subset_mma<float, float>);
  run_mma<double, double>(run, "fp64", subset_mma<double, double>);
  run_mma<__nv_bfloat16, float>(run, "bf16", subset_mma<__nv_bfloat16, float>);
  run_mma<__half, float>(run, "fp16", subset_mma<__half, float>);
  run_mma<float, float>(run, "tf32", subset_mma_tf32);
  run_integers(run);
  run_conversions(run);
  run_memory(run);
  return run.slots();
}

}  // namespace ladder::LADDER_SIDE
