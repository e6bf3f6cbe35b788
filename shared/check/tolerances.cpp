#include "shared/check/tolerances.hpp"

#include <algorithm>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

constexpr const char* kSameInputs = "the same operation in fp64 from identically rounded inputs";
constexpr const char* kNarrow = "roundings of every operation on the way";
constexpr const char* kTrained = "rounding, which training soon grows to another path of the same quality";

std::vector<Tolerance> build() {
  return {
      {"baseline losses", Dtype::fp64, "the interpreter's program", Rule::bits, 0.0, 0.0,
       "stage 0 does the same additions and calls the same libm in the same order"},
      {"operation", Dtype::fp64, "the same operation with sums in another order", Rule::scaled, 1e-12,
       1.8e-14, "only the order of sums differs; largest on an H200, over 1,024 positions"},
      {"operation", Dtype::fp32, kSameInputs, Rule::scaled, 1e-5, 8.6e-6,
       "rounding of sums of some hundred terms; largest in dv of the first of 257 positions, to which all "
       "three heads add, with dropout 0.5: 1.6 roundings of its terms"},
      {"operation", Dtype::tf32, kSameInputs, Rule::scaled, 2e-3, 5.0e-4,
       "operands of products have 11 bits"},
      {"operation", Dtype::fp16, kSameInputs, Rule::scaled, 2e-3, 5.5e-4,
       "operands and results have 11 bits"},
      {"operation", Dtype::bf16, kSameInputs, Rule::scaled, 1e-2, 4.9e-3, "operands and results have 8 bits"},
      {"activations", Dtype::fp64, "stage 0", Rule::scaled, 1e-10, 2.4e-15, "only the order of sums differs"},
      {"activations", Dtype::fp32, "fp64 from the same weights", Rule::scaled, 1e-5, 1.5e-6,
       "rounding to 24 bits; largest in a GPT-2 of two layers"},
      {"activations", Dtype::tf32, "fp64 from the same rounded weights", Rule::scaled, 2e-2, 4.4e-3, kNarrow},
      {"activations", Dtype::fp16, "fp64 from the same rounded weights", Rule::scaled, 2e-2, 7.3e-3, kNarrow},
      {"activations", Dtype::bf16, "fp64 from the same rounded weights", Rule::scaled, 1e-1, 6.5e-2, kNarrow},
      {"gradients", Dtype::fp64, "stage 0", Rule::scaled, 1e-10, 1.3e-14, "only the order of sums differs"},
      {"gradients", Dtype::fp32, "fp64 from the same weights", Rule::scaled, 2e-5, 1.1e-5,
       "rounding to 24 bits, through every layer; largest on an H200"},
      {"gradients", Dtype::tf32, "fp64 from the same rounded weights, along the same branches of every ReLU",
       Rule::scaled, 5e-2, 1.1e-2, kNarrow},
      {"gradients", Dtype::fp16, "fp64 from the same rounded weights, along the same branches of every ReLU",
       Rule::scaled, 5e-2, 1.4e-2, kNarrow},
      {"gradients", Dtype::bf16, "fp64 from the same rounded weights, along the same branches of every ReLU",
       Rule::scaled, 2e-1, 1.2e-1, kNarrow},
      {"moments", Dtype::fp64, "stage 0, one step", Rule::scaled, 1e-10, 5.8e-15, "those of the gradients"},
      {"moments", Dtype::fp32, "fp64, one step", Rule::scaled, 1e-5, 2.8e-6, "those of the gradients"},
      {"moments", Dtype::tf32, "Adam's formula in fp64 from its own gradients", Rule::scaled, 1e-5, 1.8e-6,
       "moments are fp32"},
      {"moments", Dtype::fp16, "Adam's formula in fp64 from its own gradients", Rule::scaled, 1e-2, 2.4e-3,
       "moments are fp32; accumulated gradients are of a smaller loss, and fp16 loses other small values"},
      {"moments", Dtype::bf16, "Adam's formula in fp64 from its own gradients", Rule::scaled, 1e-5, 6.8e-7,
       "moments are fp32"},
      {"update", Dtype::fp64, "Adam's formula in fp64", Rule::scaled, 1e-12, 2.5e-16, "a few roundings"},
      {"update", Dtype::fp32, "Adam's formula in fp64", Rule::scaled, 1e-5, 4.8e-8, "a few roundings"},
      {"update", Dtype::tf32, "Adam's formula in fp64", Rule::scaled, 1e-5, 4.9e-8,
       "a few roundings of fp32 master weights"},
      {"update", Dtype::fp16, "Adam's formula in fp64", Rule::scaled, 1e-5, 4.9e-8,
       "a few roundings of fp32 master weights"},
      {"update", Dtype::bf16, "Adam's formula in fp64", Rule::scaled, 1e-5, 4.9e-8,
       "a few roundings of fp32 master weights"},
      {"losses", Dtype::fp64, "stage 0, 1,000 steps", Rule::absolute, 1e-12, 3.2e-15,
       "rounding, grown by training"},
      {"losses", Dtype::fp32, "fp64, 1,000 steps", Rule::absolute, 1e-5, 1.6e-6,
       "rounding, grown by training"},
      {"losses", Dtype::tf32, "fp64, first 100 steps", Rule::relative, 0.05, 1.4e-2, kTrained, 100},
      {"mean of losses", Dtype::tf32, "fp64, first 100 steps", Rule::mean_relative, 0.005, 2.2e-3, kTrained,
       100},
      {"losses", Dtype::fp16, "fp64, first 100 steps", Rule::relative, 0.05, 2.3e-2, kTrained, 100},
      {"mean of losses", Dtype::fp16, "fp64, first 100 steps", Rule::mean_relative, 0.005, 2.5e-3, kTrained,
       100},
      {"losses", Dtype::bf16, "fp64, first 100 steps", Rule::relative, 0.05, 4.2e-2, kTrained, 100},
      {"mean of losses", Dtype::bf16, "fp64, first 100 steps", Rule::mean_relative, 0.005, 4.3e-3, kTrained,
       100},
  };
}

}  // namespace

double Tolerance::limit() const { return measured ? std::min(ceiling, 10.0 * *measured) : ceiling; }

double unit_roundoff(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp64:
      return 0x1p-53;
    case Dtype::fp32:
      return 0x1p-24;
    case Dtype::tf32:
    case Dtype::fp16:
      return 0x1p-11;
    case Dtype::bf16:
      return 0x1p-8;
  }
  return 0x1p-53;
}

const std::vector<Tolerance>& tolerances() {
  static const std::vector<Tolerance> table = build();
  return table;
}

const Tolerance* look_up_tolerance(std::string_view what, Dtype dtype) {
  for (const Tolerance& row : tolerances())
    if (row.what == what && row.dtype == dtype) return &row;
  return nullptr;
}

const Tolerance& find_tolerance(std::string_view what, Dtype dtype) {
  if (const Tolerance* row = look_up_tolerance(what, dtype)) return *row;
  throw InputError(fmt::format("no tolerance for '{}' in {}: add a row to shared/check/tolerances.cpp", what,
                               name_of(dtype)));
}

std::vector<Tolerance> curve_tolerances(Dtype dtype) {
  std::vector<Tolerance> rows = {find_tolerance("losses", dtype)};
  if (const Tolerance* mean = look_up_tolerance("mean of losses", dtype)) rows.push_back(*mean);
  return rows;
}

Comparison compare(std::span<const double> got, std::span<const double> want, const Tolerance& tolerance) {
  const auto covered = [&](std::span<const double> values) {
    const auto steps = static_cast<std::size_t>(tolerance.steps);
    return steps > 0 && got.size() == want.size() && values.size() > steps ? values.first(steps) : values;
  };
  return compare(covered(got), covered(want), tolerance.limit(), tolerance.rule);
}

}  // namespace ladder
