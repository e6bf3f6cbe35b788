#include "shared/tolerances.hpp"

#include <algorithm>

#include "shared/error.hpp"

namespace ladder {
namespace {

constexpr const char* kSameInputs = "the same operation in fp64 from identically rounded inputs";
constexpr const char* kNotYet = "no stage of this build computes in this type yet";

std::vector<Tolerance> build() {
  return {
      {"baseline losses", Dtype::fp64, "the interpreter's program", Rule::bits, 0.0, 0.0,
       "stage 0 does the same additions and calls the same libm in the same order"},
      {"operation", Dtype::fp64, "the same operation with sums in another order", Rule::scaled, 1e-12,
       1.3e-15, "only the order of sums differs"},
      {"operation", Dtype::fp32, kSameInputs, Rule::scaled, 1e-5, 8.6e-7,
       "rounding of sums of a few hundred terms"},
      {"operation", Dtype::tf32, kSameInputs, Rule::scaled, 2e-3, std::nullopt, kNotYet},
      {"operation", Dtype::fp16, kSameInputs, Rule::scaled, 2e-3, std::nullopt, kNotYet},
      {"operation", Dtype::bf16, kSameInputs, Rule::scaled, 1e-2, std::nullopt, kNotYet},
      {"activations", Dtype::fp64, "stage 0", Rule::scaled, 1e-10, 2.4e-15, "only the order of sums differs"},
      {"activations", Dtype::fp32, "fp64 from the same weights", Rule::scaled, 1e-5, 7.7e-7,
       "rounding to 24 bits"},
      {"gradients", Dtype::fp64, "stage 0", Rule::scaled, 1e-10, 1.3e-14, "only the order of sums differs"},
      {"gradients", Dtype::fp32, "fp64 from the same weights", Rule::scaled, 1e-5, 6.6e-6,
       "rounding to 24 bits"},
      {"moments", Dtype::fp64, "stage 0, one step", Rule::scaled, 1e-10, 5.8e-15, "those of the gradients"},
      {"moments", Dtype::fp32, "fp64, one step", Rule::scaled, 1e-5, 2.8e-6, "those of the gradients"},
      {"update", Dtype::fp64, "Adam's formula in fp64", Rule::scaled, 1e-12, 2.5e-16, "a few roundings"},
      {"update", Dtype::fp32, "Adam's formula in fp64", Rule::scaled, 1e-5, 4.8e-8, "a few roundings"},
      {"losses", Dtype::fp64, "stage 0, 1,000 steps", Rule::absolute, 1e-12, 3.2e-15,
       "rounding, grown by training"},
      {"losses", Dtype::fp32, "fp64, 1,000 steps", Rule::absolute, 1e-5, 1.6e-6,
       "rounding, grown by training"},
  };
}

}  // namespace

double Tolerance::limit() const { return measured ? std::min(ceiling, 10.0 * *measured) : ceiling; }

const std::vector<Tolerance>& tolerances() {
  static const std::vector<Tolerance> table = build();
  return table;
}

const Tolerance& find_tolerance(std::string_view what, Dtype dtype) {
  for (const Tolerance& row : tolerances())
    if (row.what == what && row.dtype == dtype) return row;
  throw InputError(
      fmt::format("no tolerance for '{}' in {}: add a row to shared/tolerances.cpp", what, name_of(dtype)));
}

Comparison compare(std::span<const double> got, std::span<const double> want, const Tolerance& tolerance) {
  return compare(got, want, tolerance.limit(), tolerance.rule);
}

}  // namespace ladder
