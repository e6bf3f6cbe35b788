// One case struct per operation call, for three modes: test, gradient check, benchmark. Generic over Ops, so
// that every stage runs the same cases.
//
// A case names its tensors, their roles and values, how to call the operation on them, and what plain loops
// say the result is (naive_reference.hpp). The runner rounds the values to the types of the Ops under test,
// places every tensor between sentinels, fills outputs with NaN, runs, and checks that inputs and sentinels
// are untouched.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/check/check.hpp"
#include "shared/model/ops.hpp"

namespace ladder::cases {

enum class Role { activation, parameter, gradient, master, statistic };

/// input: must stay as it is. output: starts as NaN, is compared. update: starts with values, is compared.
/// work: may be written or not, is not compared.
enum class Use { input, output, update, work };

using Values = std::map<std::string, std::vector<double>>;

struct TensorSpec {
  std::string name;
  Role role;
  Use use;
};

/// The tensors of a case in the memory of an Ops.
class Bound {
 public:
  Act act(const std::string& name) const { return ref<Act>(name); }
  Param param(const std::string& name) const { return ref<Param>(name); }
  Grad grad(const std::string& name) const { return ref<Grad>(name); }
  Master master(const std::string& name) const { return ref<Master>(name); }
  Stat stat(const std::string& name) const { return ref<Stat>(name); }
  BatchView batch;                                ///< of the case's batch, if it has one
  void* scratch = nullptr;                        ///< attention scratch, if the case asks for it
  const StepConstants* step_constants = nullptr;  ///< if the case has one

 private:
  friend class Runner;
  struct Place {
    void* data;
    Dtype dtype;
  };
  template <class Reference>
  Reference ref(const std::string& name) const {
    const Place& place = places_.at(name);
    return {place.data, place.dtype};
  }
  std::map<std::string, Place> places_;
};

/// The gradient `gradient` of a backward case, as the derivative of its forward case by `input`:
/// gradient - plus = d(sum(weights * output)) / d(input).
struct Derivative {
  std::string input, gradient, plus;  ///< plus: a tensor of the backward case that is added, or empty
};

struct OpCase {
  std::string op;     ///< "linear_forward"
  std::string shape;  ///< "N=17 I=33 O=27"
  std::optional<Batch> batch;
  std::optional<StepConstants> step_constants;
  int first = 0;          ///< positions before the batch's one sequence: BatchView::first
  int scratch_heads = 0;  ///< asks for attention scratch for the whole batch with so many heads
  std::vector<TensorSpec> tensors;
  Values values;  ///< of every tensor; those of outputs give the size only
  std::function<void(Ops&, const Bound&)> run;
  /// A fused operation by its default composition, if fused.
  std::function<void(Ops&, const Bound&)> run_composed;
  std::function<void(Values&)> naive;  ///< overwrites outputs and updates by plain loops
  /// Relative rounding that large exponents add: 2^-22 * max|logit|; in fp64, where scores are sums of exact factors in
  /// whatever order, 2^-50.
  double max_logit = 0.0;
  /// Where a narrow type rounds the terms of a sum and not only its inputs and its result: overwrites the outputs it
  /// is about by the sums of those terms' absolute values (see compare_case).
  std::function<void(Values&)> rounded_terms;
  std::vector<std::string> with_terms;  ///< those outputs
  bool beyond_fp16 = false;             ///< has values that fp16 does not reach
  bool chained = false;  ///< several operations in a row: judged by the rows for activations and gradients

  std::shared_ptr<OpCase> forward;  ///< of a backward case
  std::string output, weights;  ///< of the forward case, and the tensor here that weighs it (empty: all ones)
  std::vector<Derivative> derivatives;

  std::string name() const { return op + " " + shape; }
};

/// Adds a tensor with its values (or, for outputs, any values of the right size).
void add(OpCase& c, Role role, Use use, const std::string& name, std::vector<double> values);

/// Uniform values in [-scale, scale], the same for the same name on every machine.
std::vector<double> random_values(const std::string& name, std::size_t count, double scale = 1.0);

/// Sequences of the given lengths with random tokens; padding layouts pad to block_size.
Batch random_batch(const std::vector<int>& lengths, int vocabulary, int block_size, Layout layout);

std::vector<OpCase> linear_cases();
std::vector<OpCase> norm_cases();
std::vector<OpCase> elementwise_cases();
std::vector<OpCase> embedding_cases(Layout layout);
std::vector<OpCase> attention_cases(Layout layout);
std::vector<OpCase> loss_cases(Layout layout);
std::vector<OpCase> adam_cases();
std::vector<OpCase> fused_cases();
/// All of them, without those whose values `dtype` does not reach.
std::vector<OpCase> all_cases(Layout layout, Dtype dtype);

/// What GPT-2 needs besides; not part of all_cases(), for stages that do without.
std::vector<OpCase> gpt2_norm_cases(Layout layout);
std::vector<OpCase> gpt2_linear_cases();
std::vector<OpCase> dropout_cases(Layout layout);
std::vector<OpCase> dropout_attention_cases(Layout layout);
/// A vocabulary of several thousands, most rows of one token.
std::vector<OpCase> large_embedding_cases(Layout layout);
std::vector<OpCase> long_tail_cases(Layout layout);
/// All of these.
std::vector<OpCase> gpt2_cases(Layout layout);

/// The same operations in the sizes that models have: for GPUs and compiled loops, not for the CPU models of a GPU.
std::vector<OpCase> wide_gpt2_norm_cases(Layout layout);
std::vector<OpCase> wide_gpt2_linear_cases();
std::vector<OpCase> wide_dropout_attention_cases(Layout layout);
std::vector<OpCase> wide_gpt2_cases(Layout layout);

/// `cases` without those whose values `dtype` does not reach.
std::vector<OpCase> in_reach_of(Dtype dtype, std::vector<OpCase> cases);

/// The numbers of a step that dropout draws from.
StepConstants dropout_step(std::int64_t step, std::int64_t seed, std::int64_t first_sequence);
std::string step_name(const StepConstants& step);

/// One compared tensor. `damage` names a broken sentinel or a changed input; empty when there is none.
struct CaseResult {
  std::string name, tensor;
  Comparison comparison;
  std::string damage;
  bool passed() const { return damage.empty() && comparison.passed(); }
  std::string describe() const;
};
using Report = std::function<void(const CaseResult&)>;

/// Rounds the case's values as an Ops of type `dtype` would store them.
Values rounded_values(const OpCase& c, Dtype dtype);

enum class How { as_called, composed };

/// Told where each tensor of a case lies, before the operation runs.
using Placed =
    std::function<void(const TensorSpec& tensor, const void* data, std::size_t count, Dtype dtype)>;

/// Runs the case on `ops` from `values`; returns all tensors afterwards. Damage goes into `damage`.
Values run_case(const OpCase& c, Ops& ops, const Values& values, std::string& damage,
                How how = How::as_called, const Placed& placed = {});

/// Compares every output of the case on `candidate` with `want`, by the limit of tolerances() for its type: row
/// "operation"; of a chained case "gradients" where the tensor's name begins with d, and "activations" otherwise.
///
/// Outputs with rounded terms, in tf32, fp16 and bf16, have u times the sum of the terms' absolute values on top, u
/// being half a unit in the last place: what rounding each term once can do at most, and nothing that was fitted. It
/// is needed where the terms of a sum are much larger than the sum, as in attention's gradients: an error
/// relative to the terms is then none relative to what is left of them.
void compare_case(const OpCase& c, const Values& got, const Values& want, Dtype dtype,
                  const std::string& damage, const Report& report);

/// Mode test: every case of all_cases() on both, from inputs rounded to the candidate's
/// types. `reference` computes in fp64.
void for_each_case(Ops& candidate, Ops& reference, const Report& report);

/// The same against the plain loops.
void for_each_case_naive(Ops& candidate, const Report& report);

/// The same with the cases given, as far as the candidate's type reaches.
void for_each_case(const std::vector<OpCase>& cases, Ops& candidate, Ops& reference, const Report& report);
void for_each_case_naive(const std::vector<OpCase>& cases, Ops& candidate, const Report& report);

/// Mode gradient check: every backward case's gradients against central differences of its forward case, on
/// an fp64 Ops; at most `samples` elements of each input.
void for_each_gradient(Ops& fp64, std::size_t samples, const Report& report);
void for_each_gradient(const std::vector<OpCase>& cases, Ops& fp64, std::size_t samples,
                       const Report& report);

/// Mode benchmark: a case in the memory of `ops`, ready to be called again and again.
std::function<void()> prepared_case(const OpCase& c, Ops& ops);

}  // namespace ladder::cases
