#include "shared/check/cases.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "shared/base/dtype_convert.hpp"
#include "shared/check/case_runner.hpp"
#include "shared/check/tolerances.hpp"

namespace ladder::cases {
namespace {

std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 1469598103934665603ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace

void add(OpCase& c, Role role, Use use, const std::string& name, std::vector<double> values) {
  c.tensors.push_back({name, role, use});
  c.values[name] = std::move(values);
}

std::vector<double> random_values(const std::string& name, std::size_t count, double scale) {
  std::mt19937_64 generator(hash_of(name));
  std::vector<double> values(count);
  for (double& value : values) value = scale * (static_cast<double>(generator() >> 11) * 0x1p-52 - 1.0);
  return values;
}

Batch random_batch(const std::vector<int>& lengths, int vocabulary, int block_size, Layout layout) {
  std::mt19937_64 generator(20);
  const auto token = [&] {
    return static_cast<std::int32_t>(generator() % static_cast<std::uint64_t>(vocabulary));
  };
  std::vector<Sequence> sequences(lengths.size());
  for (std::size_t b = 0; b < lengths.size(); ++b)
    for (int t = 0; t < lengths[b]; ++t) {
      sequences[b].tokens.push_back(token());
      sequences[b].targets.push_back(token());
    }
  return make_batch(sequences, layout, block_size);
}

namespace {

std::vector<OpCase> joined(std::initializer_list<std::vector<OpCase>> families) {
  std::vector<OpCase> all;
  for (const std::vector<OpCase>& family : families) std::ranges::copy(family, std::back_inserter(all));
  return all;
}

}  // namespace

std::vector<OpCase> in_reach_of(Dtype dtype, std::vector<OpCase> cases) {
  if (dtype == Dtype::fp16) std::erase_if(cases, [](const OpCase& c) { return c.beyond_fp16; });
  return cases;
}

std::vector<OpCase> all_cases(Layout layout, Dtype dtype) {
  return in_reach_of(dtype,
                     joined({linear_cases(), norm_cases(), elementwise_cases(), embedding_cases(layout),
                             attention_cases(layout), loss_cases(layout), adam_cases(), fused_cases()}));
}

std::vector<OpCase> gpt2_cases(Layout layout) {
  return joined({gpt2_norm_cases(layout), gpt2_linear_cases(), dropout_cases(layout),
                 dropout_attention_cases(layout), large_embedding_cases(layout), long_tail_cases(layout)});
}

std::vector<OpCase> wide_gpt2_cases(Layout layout) {
  return joined(
      {wide_gpt2_norm_cases(layout), wide_gpt2_linear_cases(), wide_dropout_attention_cases(layout)});
}

StepConstants dropout_step(std::int64_t step, std::int64_t seed, std::int64_t first_sequence) {
  StepConstants constants = step_constants(TrainConfig{}, step);
  constants.seed = seed;
  constants.first_sequence = first_sequence;
  return constants;
}

std::string step_name(const StepConstants& step) {
  return fmt::format("step {} seed {} from sequence {}", step.step, step.seed, step.first_sequence);
}

std::string CaseResult::describe() const {
  return name + ", " + tensor + ": " + (damage.empty() ? comparison.describe() : damage);
}

namespace {

/// The nearest number with eleven significant bits.
double tf32_grid(double value) {
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, 11)), exponent - 11);
}

}  // namespace

Values rounded_values(const OpCase& c, Dtype dtype) {
  Values rounded = c.values;
  for (const TensorSpec& tensor : c.tensors)
    for (double& value : rounded.at(tensor.name)) {
      const Dtype stored = dtype_of(tensor.role, dtype);
      // tf32 is stored as fp32; a product rounds it on the way in, so its exact inputs
      // are on tf32's grid already.
      value = stored == Dtype::tf32 ? rounded_to(Dtype::fp32, tf32_grid(value)) : rounded_to(stored, value);
    }
  return rounded;
}

Values run_case(const OpCase& c, Ops& ops, const Values& values, std::string& damage, How how,
                const Placed& placed) {
  Runner runner(c, ops, values);
  if (placed) runner.tell(placed);
  (how == How::composed ? c.run_composed : c.run)(ops, runner.bound());
  Values after;
  for (const TensorSpec& tensor : c.tensors) after[tensor.name] = runner.read(tensor.name);
  damage = runner.damage();
  return after;
}

namespace {

/// Whether element i of an activation [N, width] lies in a row that belongs to no sequence.
bool in_padding_row(const OpCase& c, const TensorSpec& tensor, std::size_t i) {
  if (!c.batch || tensor.role != Role::activation) return false;
  const std::vector<std::int32_t>& sequence_n = c.batch->sequence_n;
  return sequence_n[i / (c.values.at(tensor.name).size() / sequence_n.size())] < 0;
}

/// Takes out of `got` the part of its errors that rounding terms of these sizes explains.
void forgive_terms(std::vector<double>& got, const std::vector<double>& want,
                   const std::vector<double>& terms, double unit) {
  for (std::size_t i = 0; i < want.size() && i < got.size(); ++i) {
    const double error = got[i] - want[i];
    if (!std::isfinite(error)) continue;
    got[i] = want[i] + std::copysign(std::max(0.0, std::abs(error) - unit * terms[i]), error);
  }
}

double tolerance_of(const OpCase& c, const TensorSpec& tensor, Dtype dtype) {
  const char* row = !c.chained ? "operation" : tensor.name.front() == 'd' ? "gradients" : "activations";
  // Four roundings of the largest exponent, in fp32 whatever is narrower than fp64.
  return find_tolerance(row, dtype).limit() + (dtype == Dtype::fp64 ? 0x1p-50 : 0x1p-22) * c.max_logit;
}

/// One output, without and with the rows that are padding.
void compare_output(const OpCase& c, const TensorSpec& tensor, const std::vector<double>& got,
                    const std::vector<double>& want, Dtype dtype, const std::string& damage,
                    const Report& report) {
  const double tolerance = tolerance_of(c, tensor, dtype);
  // Padding rows are compared apart: their zeros would make the root mean square of the others smaller, the
  // log-sum-exp of padding (-1e20) would drown it.
  std::vector<double> got_plain, want_plain, got_masked, want_masked;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const bool masked = want[i] <= kMaskValue / 2 || in_padding_row(c, tensor, i);
    (masked ? want_masked : want_plain).push_back(want[i]);
    (masked ? got_masked : got_plain).push_back(got[i]);
  }
  if (!want_plain.empty()) report({c.name(), tensor.name, compare(got_plain, want_plain, tolerance), damage});
  if (!want_masked.empty())
    report({c.name(), tensor.name + " of padding", compare(got_masked, want_masked, tolerance), damage});
}

}  // namespace

void compare_case(const OpCase& c, const Values& got, const Values& want, Dtype dtype,
                  const std::string& damage, const Report& report) {
  Values terms;
  for (const TensorSpec& tensor : c.tensors) {
    if (tensor.use != Use::output && tensor.use != Use::update) continue;
    std::vector<double> result = got.at(tensor.name);
    // The limit's root mean square is that of the whole tensor; an element that sums many more and larger terms than
    // most (dv of a causal sequence's first rows) may miss it by the roundings of its terms alone. The terms are plain
    // loops, far slower than the kernels: they are summed only where a tensor misses its limit.
    const bool rounded =
        std::find(c.with_terms.begin(), c.with_terms.end(), tensor.name) != c.with_terms.end();
    if (rounded && dtype != Dtype::fp64 &&
        !compare(result, want.at(tensor.name), tolerance_of(c, tensor, dtype)).passed()) {
      if (terms.empty()) c.rounded_terms(terms = want);
      forgive_terms(result, want.at(tensor.name), terms.at(tensor.name), unit_roundoff(dtype));
    }
    compare_output(c, tensor, result, want.at(tensor.name), dtype, damage, report);
  }
}

void for_each_case(const std::vector<OpCase>& cases, Ops& candidate, Ops& reference, const Report& report) {
  require(reference.dtype() == Dtype::fp64, "the reference computes in {}: it must be fp64",
          name_of(reference.dtype()));
  for (const OpCase& c : in_reach_of(candidate.dtype(), cases)) {
    const Values inputs = rounded_values(c, candidate.dtype());
    std::string damage, reference_damage;
    const Values want = run_case(c, reference, inputs, reference_damage);
    const Values got = run_case(c, candidate, inputs, damage);
    compare_case(c, got, want, candidate.dtype(), damage + reference_damage, report);
  }
}

void for_each_case_naive(const std::vector<OpCase>& cases, Ops& candidate, const Report& report) {
  for (const OpCase& c : in_reach_of(candidate.dtype(), cases)) {
    const Values inputs = rounded_values(c, candidate.dtype());
    Values want = inputs;
    c.naive(want);
    std::string damage;
    const Values got = run_case(c, candidate, inputs, damage);
    compare_case(c, got, want, candidate.dtype(), damage, report);
  }
}

void for_each_case(Ops& candidate, Ops& reference, const Report& report) {
  for_each_case(all_cases(candidate.layout(), candidate.dtype()), candidate, reference, report);
}

void for_each_case_naive(Ops& candidate, const Report& report) {
  for_each_case_naive(all_cases(candidate.layout(), candidate.dtype()), candidate, report);
}

std::function<void()> prepared_case(const OpCase& c, Ops& ops) {
  auto owned = std::make_shared<OpCase>(c);
  auto runner = std::make_shared<Runner>(*owned, ops, owned->values);
  return [owned, runner, &ops] { owned->run(ops, runner->bound()); };
}

}  // namespace ladder::cases
