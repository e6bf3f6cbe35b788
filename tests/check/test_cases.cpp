// The runner of cases and its judge: what it rounds, what it forgives, what it calls damage, what it compares apart.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/error.hpp"
#include "shared/check/cases.hpp"
#include "shared/check/tolerances.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"

using namespace ladder;
using namespace ladder::cases;

namespace {

using Numbers = std::vector<double>;

/// Of outputs that are called so, with these values.
OpCase outputs_of(std::initializer_list<const char*> names, const Numbers& values) {
  OpCase c;
  c.op = "an operation";
  c.shape = "N=4";
  for (const char* name : names) add(c, Role::activation, Use::output, name, values);
  return c;
}

/// What the judge reports where one output is off in its last element by `error`.
std::vector<CaseResult> judged(const OpCase& c, Dtype dtype, double error, const std::string& damage = "") {
  Values want = c.values, got = c.values;
  for (const TensorSpec& tensor : c.tensors) got.at(tensor.name).back() += error;
  std::vector<CaseResult> results;
  compare_case(c, got, want, dtype, damage, [&](const CaseResult& result) { results.push_back(result); });
  return results;
}

/// y = 2 x on four numbers, then `also` with the memory of a tensor.
OpCase doubling(const std::string& tensor, int byte) {
  OpCase c;
  c.op = "doubling";
  c.shape = "N=4";
  add(c, Role::activation, Use::input, "x", {1, 2, 3, 4});
  add(c, Role::activation, Use::output, "y", Numbers(4));
  add(c, Role::activation, Use::update, "z", {1, 1, 1, 1});
  add(c, Role::activation, Use::work, "w", Numbers(4));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(ResidualForward{4, t.act("x"), t.act("x"), t.act("y")});
    if (tensor.empty()) return;
    std::byte other{0x5B};
    ops.upload(static_cast<std::byte*>(t.act(tensor).data) + byte, &other, 1);
  };
  c.naive = [](Values& t) {
    for (std::size_t i = 0; i < 4; ++i) t.at("y")[i] = 2 * t.at("x")[i];
  };
  return c;
}

std::string damage_of(const std::string& tensor, int byte) {
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  const OpCase c = doubling(tensor, byte);
  std::string damage;
  run_case(c, *ops, c.values, damage);
  return damage;
}

}  // namespace

TEST_CASE("damage is told of each side of every tensor, and of what an input holds") {
  for (const char* tensor : {"x", "y", "z", "w"}) {
    CHECK(damage_of(tensor, -1) == std::string("wrote before the start of ") + tensor);
    CHECK(damage_of(tensor, 16) == std::string("wrote behind the end of ") + tensor);
    CHECK(damage_of(tensor, -256) == std::string("wrote before the start of ") + tensor);
    CHECK(damage_of(tensor, 16 + 255) == std::string("wrote behind the end of ") + tensor);
  }
  CHECK(damage_of("x", 0) == "changed its input x");
  CHECK(damage_of("x", 15) == "changed its input x");
  for (const char* tensor : {"y", "z", "w"}) CHECK(damage_of(tensor, 0).empty());
  CHECK(damage_of("", 0).empty());
}

TEST_CASE("a case fails by damage on the side of the reference as well") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1), reference = make_eigen_ops(Dtype::fp64, 1);
  OpCase c = doubling("", 0);
  c.run = [&](Ops& given, const Bound& t) {
    given.run(ResidualForward{4, t.act("x"), t.act("x"), t.act("y")});
    std::byte other{0x5B};
    if (&given == reference.get()) given.upload(t.act("x").data, &other, 1);
  };
  int reports = 0;
  for_each_case({c}, *ops, *reference, [&](const CaseResult& result) {
    ++reports;
    CHECK(result.damage == "changed its input x");
    CHECK_FALSE(result.passed());
    CHECK(result.describe() == "doubling N=4, " + result.tensor + ": changed its input x");
  });
  CHECK(reports == 2);  // the output and the update; neither inputs nor work
  CHECK_THROWS_AS(for_each_case({c}, *ops, *make_eigen_ops(Dtype::fp32, 1), {}), InputError);
}

TEST_CASE("outputs start as no number, updates and inputs from their values") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  OpCase c = doubling("", 0);
  c.run = [](Ops&, const Bound&) {};
  std::string damage;
  const Values after = run_case(c, *ops, c.values, damage);
  for (const char* name : {"y", "w"})
    CHECK(std::ranges::all_of(after.at(name), [](double value) { return std::isnan(value); }));
  CHECK(after.at("x") == Numbers{1, 2, 3, 4});
  CHECK(after.at("z") == Numbers{1, 1, 1, 1});
}

TEST_CASE("a prepared case runs again and again, on what the run before left in its updates") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  OpCase c = doubling("", 0);
  std::vector<double> seen;
  c.run = [&](Ops& given, const Bound& t) {
    given.run(ResidualForward{4, t.act("x"), t.act("z"), t.act("z")});
    seen.push_back(t.act("z").as<double>()[3]);
  };
  const auto call = prepared_case(c, *ops);
  for (int i = 0; i < 3; ++i) call();
  CHECK(seen == Numbers{5, 9, 13});
}

TEST_CASE("an operation alone is judged by its row, several in a row by those of activations and gradients") {
  OpCase c = outputs_of({"dx", "x"}, {1, -1, 1, -1});
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32, Dtype::bf16}) {
    for (const CaseResult& result : judged(c, dtype, 0.0))
      CHECK(result.comparison.tolerance == find_tolerance("operation", dtype).limit());
    c.chained = true;
    const auto results = judged(c, dtype, 0.0);
    REQUIRE(results.size() == 2);
    CHECK(results[0].comparison.tolerance == find_tolerance("gradients", dtype).limit());
    CHECK(results[1].comparison.tolerance == find_tolerance("activations", dtype).limit());
    c.chained = false;
  }
  c.max_logit = 3.0;  // four roundings of the largest exponent
  CHECK(judged(c, Dtype::fp64, 0.0)[0].comparison.tolerance ==
        find_tolerance("operation", Dtype::fp64).limit() + 3.0 * 0x1p-50);
  CHECK(judged(c, Dtype::bf16, 0.0)[0].comparison.tolerance ==
        find_tolerance("operation", Dtype::bf16).limit() + 3.0 * 0x1p-22);
}

TEST_CASE(
    "roundings of an output's terms are forgiven it, in types narrower than fp64, and no more than those") {
  OpCase c = outputs_of({"with", "without"}, {1, -1, 1, -1});
  c.with_terms = {"with"};
  c.rounded_terms = [](Values& t) { t.at("with") = {1000, 1000, 1000, 500}; };
  for (const Dtype dtype : {Dtype::fp32, Dtype::tf32, Dtype::fp16, Dtype::bf16}) {
    const double limit = 2.0 * find_tolerance("operation", dtype).limit();  // |want| + rms
    const double forgiven = 500.0 * unit_roundoff(dtype);
    REQUIRE(forgiven > 0.1 * limit);
    for (const double sign : {1.0, -1.0}) {
      const auto within = judged(c, dtype, sign * 0.99 * (limit + forgiven));
      const auto beyond = judged(c, dtype, sign * 1.01 * (limit + forgiven));
      CHECK(within[0].passed());
      CHECK_FALSE(within[1].passed());  // which has no such terms
      CHECK_FALSE(beyond[0].passed());
    }
    CHECK_FALSE(judged(c, dtype, HUGE_VAL)[0].passed());
    CHECK_FALSE(judged(c, dtype, std::nan(""))[0].passed());
  }
  // in fp64 nothing, although half of this is what the terms' roundings come to
  CHECK_FALSE(judged(c, Dtype::fp64, 2.1 * find_tolerance("operation", Dtype::fp64).limit())[0].passed());
}

TEST_CASE("rows of padding and log-sum-exps of empty rows are judged apart from the others") {
  OpCase c = outputs_of({"y"}, Numbers(8, 1.0));
  c.batch =
      make_batch(std::vector<Sequence>{{{1}, {2}}, {{1, 2}, {2, 3}}}, Layout::padded, 2);  // row 1 is none
  for (const std::size_t i : {2, 3}) c.values.at("y")[i] = 0.0;
  Values got = c.values;
  const auto failed = [&](std::size_t at, double value) {
    Values spoilt = got;
    spoilt.at("y")[at] = value;
    std::vector<std::string> names;
    compare_case(c, spoilt, c.values, Dtype::fp32, "", [&](const CaseResult& result) {
      CHECK(result.comparison.want_size == (result.tensor == "y" ? 6 : 2));
      if (!result.passed()) names.push_back(result.tensor);
    });
    return names;
  };
  CHECK(failed(0, 1.0).empty());
  CHECK(failed(1, 1.5) == std::vector<std::string>{"y"});
  CHECK(failed(7, 1.5) == std::vector<std::string>{"y"});
  CHECK(failed(2, 1e-30) == std::vector<std::string>{"y of padding"});
  CHECK(failed(3, std::nan("")) == std::vector<std::string>{"y of padding"});
  OpCase sums = outputs_of({"lse"}, {1.0, kMaskValue, 2.0, 3.0});
  const auto results = judged(sums, Dtype::fp32, 1.0);  // hidden, if 1e20 counted in the mean
  REQUIRE(results.size() == 2);
  CHECK_FALSE(results[0].passed());
  CHECK(results[0].comparison.want_size == 3);
  CHECK(results[1].passed());
}

TEST_CASE("values are rounded as their role is stored in the type under test, tf32's to its eleven bits") {
  const double fine = 1.0 + 0x1p-8 + 0x1p-10 + 0x1p-16 + 0x1p-30;
  OpCase c;
  for (const auto& [name, role] : {std::pair{"act", Role::activation},
                                   {"param", Role::parameter},
                                   {"grad", Role::gradient},
                                   {"master", Role::master},
                                   {"stat", Role::statistic}})
    add(c, role, Use::input, name, {fine, -fine});
  const auto rounded = [&](Dtype dtype, const char* name) { return rounded_values(c, dtype).at(name)[1]; };
  const double fp32 = -(1.0 + 0x1p-8 + 0x1p-10 + 0x1p-16), eleven = -(1.0 + 0x1p-8 + 0x1p-10);
  for (const char* name : {"act", "param", "grad", "master", "stat"}) {
    INFO(name);
    const bool product = std::string(name) == "act" || std::string(name) == "param";
    CHECK(rounded(Dtype::fp64, name) == -fine);
    CHECK(rounded(Dtype::fp32, name) == fp32);
    CHECK(rounded(Dtype::fp16, name) == (product ? eleven : fp32));
    CHECK(rounded(Dtype::bf16, name) == (product ? -(1.0 + 0x1p-7) : fp32));
  }
  CHECK(rounded(Dtype::tf32, "act") == eleven);
  CHECK(rounded(Dtype::tf32, "param") == eleven);
  CHECK(rounded(Dtype::tf32, "stat") == fp32);
}

TEST_CASE("half a unit in the last place is what rounding to nearest may do") {
  for (const Dtype dtype : kAllDtypes) {
    if (dtype == Dtype::fp64 || dtype == Dtype::tf32) continue;  // a double has none; stored as fp32
    INFO(name_of(dtype));
    const double u = unit_roundoff(dtype);
    CHECK(rounded_to(dtype, 1.0 + 0.99 * u) == 1.0);
    CHECK(rounded_to(dtype, 1.0 + 1.01 * u) == 1.0 + 2.0 * u);
  }
  CHECK(unit_roundoff(Dtype::fp64) == 0x1p-53);
  CHECK(unit_roundoff(Dtype::tf32) == 0x1p-11);
}

TEST_CASE("random values are the same for one name, others for another, and fill their range on both sides") {
  const Numbers x = random_values("x", 1000, 3.0);
  CHECK(x == random_values("x", 1000, 3.0));
  CHECK(x != random_values("y", 1000, 3.0));
  const auto [least, most] = std::ranges::minmax(x);
  CHECK((least >= -3.0 && least < -2.9));
  CHECK((most <= 3.0 && most > 2.9));
  const Batch batch = random_batch({3, 0, 40}, 5, 64, Layout::packed);
  CHECK(batch.lengths_b == std::vector<std::int32_t>{3, 0, 40});
  for (const auto* tokens : {&batch.tokens_n, &batch.targets_n})
    CHECK(std::set<int>(tokens->begin(), tokens->end()) == std::set<int>{0, 1, 2, 3, 4});
  CHECK(batch.tokens_n != batch.targets_n);
}

TEST_CASE("cases with values that fp16 does not reach are left out there and nowhere else") {
  std::vector<OpCase> two(2);
  two[1].beyond_fp16 = true;
  two[1].op = "large";
  for (const Dtype dtype : kAllDtypes)
    CHECK(in_reach_of(dtype, two).size() == (dtype == Dtype::fp16 ? 1 : 2));
  CHECK(in_reach_of(Dtype::fp16, two).front().op.empty());
}

TEST_CASE(
    "a gradient check takes as many elements as asked for at most, over all of an input, less what was "
    "there") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  const auto checked = [&](std::size_t size, std::size_t samples, std::size_t wrong, Role role, bool plus) {
    OpCase forward, c;
    add(forward, Role::activation, Use::input, "a", random_values("a", size));
    add(forward, Role::activation, Use::input, "b", random_values("b", size));
    add(forward, Role::activation, Use::output, "y", Numbers(size));
    forward.run = [=](Ops& given, const Bound& t) {
      given.run(ResidualForward{size, t.act("a"), t.act("b"), t.act("y")});
    };
    add(c, Role::activation, Use::input, "dy", random_values("dy", size));
    add(c, Role::activation, Use::input, "more", random_values("more", size));
    add(c, role, Use::update, "da", random_values("da", size));  // of an activation: overwritten
    c.run = [=](Ops& given, const Bound& t) {
      double* to = role == Role::gradient ? t.grad("da").as<double>() : t.act("da").as<double>();
      const double *dy = t.act("dy").as<double>(), *more = t.act("more").as<double>();
      for (std::size_t i = 0; i < size; ++i)
        to[i] = (role == Role::gradient ? to[i] : 0.0) + dy[i] + (plus ? more[i] : 0.0) +
                (i == wrong ? 1e-4 : 0.0);
      given.synchronize();
    };
    c.forward = std::make_shared<OpCase>(forward);
    c.output = "y";
    c.weights = "dy";
    c.derivatives = {{"a", "da", plus ? "more" : ""}};
    CaseResult result;
    for_each_gradient({c}, *ops, samples, [&](const CaseResult& one) { result = one; });
    return result.comparison;
  };
  constexpr std::size_t kNone = 1000;
  CHECK(checked(7, 4, kNone, Role::activation, false).want_size == 4);
  CHECK(checked(8, 4, kNone, Role::activation, false).want_size == 4);
  CHECK(checked(9, 4, kNone, Role::activation, false).want_size == 3);
  CHECK(checked(3, 4, kNone, Role::activation, false).want_size == 3);
  for (const Role role : {Role::activation, Role::gradient})
    for (const bool plus : {false, true}) {
      CHECK(checked(7, 4, kNone, role, plus).passed());
      for (const std::size_t wrong : {0, 2, 6}) {
        const Comparison found = checked(7, 4, wrong, role, plus);
        CHECK(found.verdict == Verdict::too_far);
        CHECK(found.first.index == wrong / 2);
      }
      CHECK(checked(7, 4, 1, role, plus).passed());  // between the samples
    }
  CHECK_THROWS_AS(for_each_gradient({}, *make_eigen_ops(Dtype::fp32, 1), 4, {}), InputError);
}
