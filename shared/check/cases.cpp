#include "shared/check/cases.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>

#include "shared/base/dtype_convert.hpp"
#include "shared/check/tolerances.hpp"

namespace ladder::cases {
namespace {

constexpr std::size_t kGuard = 256;  // bytes before and after every tensor
constexpr std::byte kSentinel{0xA5};

Dtype dtype_of(Role role, Dtype compute) {
  const Precision precision = Precision::of(compute);
  switch (role) {
    case Role::activation:
      return precision.activation;
    case Role::parameter:
      return precision.parameter;
    case Role::gradient:
      return precision.gradient;
    case Role::master:
      return precision.master;
    case Role::statistic:
      return precision.statistic;
  }
  return compute;
}

std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 1469598103934665603ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace

/// Places a case in the memory of an Ops, and looks at that memory afterwards.
class Runner {
 public:
  Runner(const OpCase& c, Ops& ops, const Values& values) : case_(c), ops_(ops) {
    for (const TensorSpec& tensor : c.tensors) place(tensor, values.at(tensor.name));
    if (c.batch) place_batch(*c.batch);
    if (c.step_constants) {
      void* step = ops.allocate(sizeof(StepConstants));
      ops.upload(step, &*c.step_constants, sizeof(StepConstants));
      bound_.step_constants = static_cast<const StepConstants*>(step);
    }
    if (c.scratch_heads > 0) {
      const std::size_t bytes = ops.attention_scratch_bytes(c.first + c.batch->rows(), c.scratch_heads,
                                                            c.first + c.batch->max_length);
      bound_.scratch = bytes > 0 ? ops.allocate(bytes) : nullptr;
    }
  }

  const Bound& bound() const { return bound_; }

  /// Every place once, also where two names stand for it.
  void tell(const Placed& placed) const {
    for (const TensorSpec& tensor : case_.tensors) {
      const Bound::Place& place = bound_.places_.at(tensor.name);
      const auto owns = [&](const Region& region) { return region.name == tensor.name; };
      if (std::any_of(regions_.begin(), regions_.end(), owns))
        placed(tensor, place.data, case_.values.at(tensor.name).size(), place.dtype);
    }
  }

  void write(const std::string& name, const std::vector<double>& values) {
    const Bound::Place& place = bound_.places_.at(name);
    std::vector<std::byte> raw(values.size() * size_of(place.dtype));
    encode(place.dtype, values, raw.data());
    if (!raw.empty()) ops_.upload(place.data, raw.data(), raw.size());
  }

  std::vector<double> read(const std::string& name) const {
    const Bound::Place& place = bound_.places_.at(name);
    std::vector<double> values(case_.values.at(name).size());
    std::vector<std::byte> raw(values.size() * size_of(place.dtype));
    ops_.download(raw.data(), place.data, raw.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = decode(place.dtype, raw.data(), i);
    return values;
  }

  /// Names what the operation should not have touched but did.
  std::string damage() const {
    for (const Region& region : regions_) {
      std::vector<std::byte> now(region.before.size());
      ops_.download(now.data(), region.memory, now.size());
      const auto differs = [&](std::size_t from, std::size_t to) {
        return !std::equal(now.begin() + static_cast<std::ptrdiff_t>(from),
                           now.begin() + static_cast<std::ptrdiff_t>(to),
                           region.before.begin() + static_cast<std::ptrdiff_t>(from));
      };
      if (differs(0, kGuard)) return "wrote before the start of " + region.name;
      if (differs(now.size() - kGuard, now.size())) return "wrote behind the end of " + region.name;
      if (region.use == Use::input && differs(0, now.size())) return "changed its input " + region.name;
    }
    return {};
  }

 private:
  struct Region {
    std::string name;
    Use use;
    void* memory;
    std::vector<std::byte> before;
  };

  void place(const TensorSpec& tensor, const std::vector<double>& values) {
    const Dtype dtype = dtype_of(tensor.role, ops_.dtype());
    // Where parameters need no master copy, both names stand for the same memory (see Adam).
    const bool alias =
        tensor.role == Role::parameter && bound_.places_.count("master") != 0 && size_of(dtype) > 2;
    if (alias) {
      bound_.places_[tensor.name] = bound_.places_.at("master");
      return;
    }
    std::vector<std::byte> raw(2 * kGuard + values.size() * size_of(dtype), kSentinel);
    if (tensor.use == Use::output || tensor.use == Use::work)
      std::fill(raw.begin() + kGuard, raw.end() - kGuard, std::byte{0xFF});  // NaN in every type
    else
      encode(dtype, values, raw.data() + kGuard);
    void* memory = ops_.allocate(raw.size());
    ops_.upload(memory, raw.data(), raw.size());
    bound_.places_[tensor.name] = {static_cast<std::byte*>(memory) + kGuard, dtype};
    regions_.push_back({tensor.name, tensor.use, memory, std::move(raw)});
  }

  void place_batch(const Batch& batch) {
    const auto integers = [&](const std::vector<std::int32_t>& values) {
      void* memory = ops_.allocate(std::max<std::size_t>(values.size(), 1) * sizeof(std::int32_t));
      if (!values.empty()) ops_.upload(memory, values.data(), values.size() * sizeof(std::int32_t));
      return static_cast<const std::int32_t*>(memory);
    };
    bound_.batch = batch.view();
    bound_.batch.tokens_n = integers(batch.tokens_n);
    bound_.batch.targets_n = integers(batch.targets_n);
    bound_.batch.sequence_n = integers(batch.sequence_n);
    bound_.batch.starts_b = integers(batch.starts_b);
    bound_.batch.lengths_b = integers(batch.lengths_b);
    bound_.batch.first = case_.first;
  }

  const OpCase& case_;
  Ops& ops_;
  Bound bound_;
  std::vector<Region> regions_;
};

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

std::vector<OpCase> all_cases(Layout layout, Dtype dtype) {
  std::vector<OpCase> all;
  for (std::vector<OpCase> family :
       {linear_cases(), norm_cases(), elementwise_cases(), embedding_cases(layout), attention_cases(layout),
        loss_cases(layout), adam_cases(), fused_cases()})
    std::ranges::copy_if(family, std::back_inserter(all),
                         [&](const OpCase& c) { return !c.beyond_fp16 || dtype != Dtype::fp16; });
  return all;
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

/// The largest relative error of rounding an operand of a product to nearest; 0 for fp64, in which the reference computes too.
double unit_roundoff(Dtype dtype) {
  switch (dtype) {
    case Dtype::bf16:
      return 0x1p-8;
    case Dtype::fp16:
    case Dtype::tf32:
      return 0x1p-11;
    case Dtype::fp32:
      return 0x1p-24;
    default:
      return 0.0;
  }
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
    // most (dv of a causal sequence's first rows) may miss it by the roundings of its terms alone. The terms are plain loops, far
    // slower than the kernels: they are summed only where a tensor misses its limit.
    const bool rounded =
        std::find(c.with_terms.begin(), c.with_terms.end(), tensor.name) != c.with_terms.end();
    if (rounded && unit_roundoff(dtype) > 0.0 &&
        !compare(result, want.at(tensor.name), tolerance_of(c, tensor, dtype)).passed()) {
      if (terms.empty()) c.rounded_terms(terms = want);
      forgive_terms(result, want.at(tensor.name), terms.at(tensor.name), unit_roundoff(dtype));
    }
    compare_output(c, tensor, result, want.at(tensor.name), dtype, damage, report);
  }
}

void for_each_case(Ops& candidate, Ops& reference, const Report& report) {
  require(reference.dtype() == Dtype::fp64, "the reference computes in {}: it must be fp64",
          name_of(reference.dtype()));
  for (const OpCase& c : all_cases(candidate.layout(), candidate.dtype())) {
    const Values inputs = rounded_values(c, candidate.dtype());
    std::string damage, reference_damage;
    const Values want = run_case(c, reference, inputs, reference_damage);
    const Values got = run_case(c, candidate, inputs, damage);
    compare_case(c, got, want, candidate.dtype(), damage + reference_damage, report);
  }
}

void for_each_case_naive(Ops& candidate, const Report& report) {
  for (const OpCase& c : all_cases(candidate.layout(), candidate.dtype())) {
    const Values inputs = rounded_values(c, candidate.dtype());
    Values want = inputs;
    c.naive(want);
    std::string damage;
    const Values got = run_case(c, candidate, inputs, damage);
    compare_case(c, got, want, candidate.dtype(), damage, report);
  }
}

namespace {

/// sum(weights * output) of the forward case, with its values as they are now.
class Objective {
 public:
  Objective(const OpCase& backward, Ops& ops)
      : forward_(*backward.forward),
        ops_(ops),
        runner_(forward_, ops, forward_.values),
        output_(backward.output) {
    weights_ = backward.weights.empty() ? std::vector<double>(forward_.values.at(output_).size(), 1.0)
                                        : backward.values.at(backward.weights);
  }

  double operator()(const std::string& input, std::size_t index, double value) {
    std::vector<double> changed = forward_.values.at(input);
    changed[index] = value;
    for (const TensorSpec& tensor : forward_.tensors)
      if (tensor.use == Use::update) runner_.write(tensor.name, forward_.values.at(tensor.name));
    runner_.write(input, changed);
    forward_.run(ops_, runner_.bound());
    const std::vector<double> y = runner_.read(output_);
    runner_.write(input, forward_.values.at(input));
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * weights_[i];
    return sum;
  }

 private:
  const OpCase& forward_;
  Ops& ops_;
  Runner runner_;
  std::string output_;
  std::vector<double> weights_;
};

void check_gradients(const OpCase& c, Ops& ops, std::size_t samples, const Report& report) {
  std::string damage;
  const Values after = run_case(c, ops, c.values, damage);
  Objective objective(c, ops);
  for (const Derivative& derivative : c.derivatives) {
    const std::vector<double>& x = c.forward->values.at(derivative.input);
    std::vector<double> got, want;
    const std::size_t stride = std::max<std::size_t>(1, x.size() / samples);
    for (std::size_t i = 0; i < x.size(); i += stride) {
      const TensorSpec& spec = *std::find_if(c.tensors.begin(), c.tensors.end(), [&](const TensorSpec& t) {
        return t.name == derivative.gradient;
      });
      // A gradient that is added to, or that overwrites what it is computed from, started from something.
      const bool accumulates = spec.role == Role::gradient;
      const double before = accumulates ? c.values.at(derivative.gradient)[i] : 0.0;
      const double plus = derivative.plus.empty() ? 0.0 : c.values.at(derivative.plus)[i];
      // (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h: fourth order, so h can stay far above rounding.
      const double h = 1e-3;
      const auto odd = [&](double d) {
        return objective(derivative.input, i, x[i] + d) - objective(derivative.input, i, x[i] - d);
      };
      want.push_back((8.0 * odd(h) - odd(2.0 * h)) / (12.0 * h));
      got.push_back(after.at(derivative.gradient)[i] - before - plus);
    }
    report({c.name() + " by differences", derivative.gradient, compare(got, want, 1e-7), damage});
  }
}

}  // namespace

void for_each_gradient(Ops& fp64, std::size_t samples, const Report& report) {
  require(fp64.dtype() == Dtype::fp64, "differences need fp64, not {}", name_of(fp64.dtype()));
  for (const OpCase& c : all_cases(fp64.layout(), fp64.dtype()))
    if (c.forward) check_gradients(c, fp64, samples, report);
}

std::function<void()> prepared_case(const OpCase& c, Ops& ops) {
  auto owned = std::make_shared<OpCase>(c);
  auto runner = std::make_shared<Runner>(*owned, ops, owned->values);
  return [owned, runner, &ops] { owned->run(ops, runner->bound()); };
}

}  // namespace ladder::cases
