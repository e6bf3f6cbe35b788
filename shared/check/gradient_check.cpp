// The gradient check: every backward case against central differences of its forward case.
#include <algorithm>

#include "shared/check/case_runner.hpp"
#include "shared/check/cases.hpp"

namespace ladder::cases {
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
    const std::size_t stride = std::max<std::size_t>(1, (x.size() + samples - 1) / samples);
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

void for_each_gradient(const std::vector<OpCase>& cases, Ops& fp64, std::size_t samples,
                       const Report& report) {
  require(fp64.dtype() == Dtype::fp64, "differences need fp64, not {}", name_of(fp64.dtype()));
  for (const OpCase& c : cases)
    if (c.forward) check_gradients(c, fp64, samples, report);
}

void for_each_gradient(Ops& fp64, std::size_t samples, const Report& report) {
  for_each_gradient(all_cases(fp64.layout(), fp64.dtype()), fp64, samples, report);
}

}  // namespace ladder::cases
