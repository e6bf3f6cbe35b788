// The checker is the one thing that every other test trusts, so most of these cases are outputs that must fail.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/check/check.hpp"

using namespace ladder;

namespace {

using Values = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kHuge = std::numeric_limits<double>::max();

Values ramp(std::size_t count, double first) {
  Values values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = first + static_cast<double>(i);
  return values;
}

}  // namespace

TEST_CASE("equal values pass with no error") {
  const Values x = ramp(33, 1.0);
  for (Rule rule : {Rule::scaled, Rule::absolute, Rule::bits, Rule::relative, Rule::mean_relative}) {
    const Comparison result = compare(x, x, 0.0, rule);
    CHECK(result.passed());
    CHECK(result.max_error == 0.0);
  }
}

TEST_CASE("a NaN or an infinity on either side fails, whatever the tolerance") {
  const Values good = ramp(17, 1.0);
  for (double bad : {kNan, -kNan, kInf, -kInf})
    for (std::size_t at : {0, 8, 16}) {
      CAPTURE(bad, at);
      Values spoilt = good;
      spoilt[at] = bad;
      for (Rule rule : {Rule::scaled, Rule::absolute, Rule::relative, Rule::mean_relative}) {
        const Comparison in_got = compare(spoilt, good, 1e300, rule);
        CHECK(in_got.verdict == Verdict::not_finite);
        CHECK(in_got.first.index == at);
        CHECK(in_got.max_error == kInf);
        CHECK(compare(good, spoilt, 1e300, rule).verdict == Verdict::not_finite);
        CHECK_FALSE(compare(spoilt, spoilt, 1e300, rule).passed());
      }
      CHECK_FALSE(compare(spoilt, spoilt, 0.0, Rule::bits).passed());
    }
}

TEST_CASE("an output of nothing but NaN fails") {
  const Values nan(32, kNan);
  CHECK(compare(nan, Values(32, 0.0), 1e-3).verdict == Verdict::not_finite);
  CHECK(compare(nan, ramp(32, 1.0), 1e-3).verdict == Verdict::not_finite);
  CHECK(compare(nan, nan, 1e-3).verdict == Verdict::not_finite);
}

TEST_CASE("a wrong length fails, also when the common part agrees") {
  const Values x = ramp(17, 1.0);
  const std::span<const double> shorter(x.data(), 16);
  CHECK(compare(shorter, x, 1e300).verdict == Verdict::wrong_length);
  CHECK(compare(x, shorter, 1e300).verdict == Verdict::wrong_length);
  CHECK(compare({}, x, 1e300).verdict == Verdict::wrong_length);
  CHECK(compare(x, {}, 1e300).verdict == Verdict::wrong_length);
}

TEST_CASE("two empty sequences do not pass: nothing was compared") {
  CHECK(compare({}, {}, 1.0).verdict == Verdict::empty);
  CHECK_FALSE(compare({}, {}, 0.0, Rule::bits).passed());
}

TEST_CASE("an output shifted by one element fails") {
  Values want(64);
  for (std::size_t i = 0; i < want.size(); ++i) want[i] = std::sin(0.37 * static_cast<double>(i));
  Values got(want.begin() + 1, want.end());
  got.push_back(want.front());
  const Comparison result = compare(got, want, 1e-2);
  CHECK(result.verdict == Verdict::too_far);
  CHECK(result.first.index == 0);
}

TEST_CASE("swapped rows fail") {
  const Values want = {1, 2, 3, 4}, got = {3, 4, 1, 2};
  CHECK_FALSE(compare(got, want, 1e-2).passed());
}

TEST_CASE("a reference of zeros allows zeros only") {
  const Values zero(9, 0.0);
  CHECK(compare(zero, zero, 1e-12).passed());
  Values got = zero;
  got[4] = 1e-300;
  const Comparison result = compare(got, zero, 1e-2);
  CHECK(result.verdict == Verdict::too_far);
  CHECK(result.first.index == 4);
  CHECK(result.max_error == kInf);
  CHECK(compare(Values(9, -0.0), zero, 1e-12).passed());
}

TEST_CASE("exactly at the limit passes, one step beyond fails") {
  // rms of four equal magnitudes is that magnitude, so the scale is 2 and a tolerance of 1/8 allows 1/4.
  const Values want = {1, -1, 1, -1};
  Values got = want;
  got[2] = 1.25;
  const Comparison at_limit = compare(got, want, 0.125);
  CHECK(at_limit.passed());
  CHECK(at_limit.worst.index == 2);
  CHECK(at_limit.worst.budget == 0.25);
  CHECK(at_limit.max_error == 0.125);
  got[2] = std::nextafter(1.25, 2.0);
  CHECK(compare(got, want, 0.125).verdict == Verdict::too_far);

  got[2] = 1.5;
  CHECK(compare(got, want, 0.5, Rule::absolute).passed());
  got[2] = std::nextafter(1.5, 2.0);
  CHECK_FALSE(compare(got, want, 0.5, Rule::absolute).passed());
}

TEST_CASE("the first failing element and the worst one are both named") {
  const Values want(8, 1.0);
  Values got = want;
  got[3] = 1.1;
  got[6] = 3.0;
  const Comparison result = compare(got, want, 1e-3);
  CHECK(result.first.index == 3);
  CHECK(result.first.got == 1.1);
  CHECK(result.worst.index == 6);
  CHECK(result.worst.got == 3.0);
  CHECK(result.worst.want == 1.0);
  CHECK(result.describe().find("element 3: got 1.1") == 0);
}

TEST_CASE("magnitudes near the largest double do not make the budget infinite") {
  const Values want = {kHuge, kHuge, 1.0};
  Values got = want;
  CHECK(compare(got, want, 1e-12).passed());
  got[2] = 1e300;  // the scale is about 1.5e308 here: 1e300 is within 1e-5 of it, 1e305 is not
  CHECK(compare(got, want, 1e-5).passed());
  got[2] = 1e305;
  CHECK_FALSE(compare(got, want, 1e-5).passed());
  got = {-kHuge, kHuge, 1.0};  // the error itself overflows
  CHECK(compare(got, want, 1e-5).verdict == Verdict::too_far);
  CHECK_FALSE(compare(got, want, 1e5).passed());
  CHECK(root_mean_square(Values(5, 1e200)) == Approx(1e200));
}

TEST_CASE("bits: a last bit and the sign of zero count") {
  const Values want = {1.0, 0.0};
  CHECK(compare(want, want, 0.0, Rule::bits).passed());
  const Comparison last_bit = compare(Values{std::nextafter(1.0, 2.0), 0.0}, want, 0.0, Rule::bits);
  CHECK(last_bit.verdict == Verdict::too_far);
  CHECK(last_bit.first.index == 0);
  CHECK_FALSE(compare(Values{1.0, -0.0}, want, 0.0, Rule::bits).passed());
}

TEST_CASE("a tolerance that is not a number of 0 or more is refused") {
  const Values x = {1.0};
  CHECK_THROWS_AS(compare(x, x, kNan), InputError);
  CHECK_THROWS_AS(compare(x, x, -1e-9), InputError);
  CHECK_THROWS_AS(compare(x, x, kInf), InputError);
  CHECK_THROWS_AS(compare(x, x, 1e-9, Rule::bits), InputError);
}

TEST_CASE("relative_distance") {
  const Values want = {3.0, 4.0};
  CHECK(relative_distance(want, want) == 0.0);
  CHECK(relative_distance(Values{3.0, 5.0}, want) == Approx(0.2));
  CHECK(relative_distance(Values{3.0, kNan}, want) == kInf);
  CHECK(relative_distance(Values{3.0}, want) == kInf);
  CHECK(relative_distance(Values{0.0, 1.0}, Values{0.0, 0.0}) == kInf);
  CHECK(relative_distance(Values{0.0, 0.0}, Values{0.0, 0.0}) == 0.0);
}

TEST_CASE("a relative limit holds for each element, a limit on the mean for all of them together") {
  const Values want = {2.0, -4.0, 1.0, 8.0}, got = {2.1, -4.0, 1.0, 8.0};  // errors of 5%, 0, 0, 0
  CHECK(compare(got, want, 0.06, Rule::relative).passed());
  const Comparison relative = compare(got, want, 0.04, Rule::relative);
  CHECK(relative.verdict == Verdict::too_far);
  CHECK(relative.first.index == 0);
  CHECK(std::abs(relative.max_error - 0.05) < 1e-12);
  CHECK(compare(got, want, 0.013, Rule::mean_relative).passed());
  const Comparison mean = compare(got, want, 0.012, Rule::mean_relative);
  CHECK(mean.verdict == Verdict::too_far);
  CHECK(std::abs(mean.max_error - 0.0125) < 1e-12);
  CHECK(mean.worst.index == 0);
  CHECK_FALSE(compare(Values{1.0}, Values{0.0}, 1e300, Rule::mean_relative).passed());
  CHECK_FALSE(compare(Values{1.0}, Values{0.0}, 1e300, Rule::relative).passed());
}

TEST_CASE("the size of cancelled terms is added to what an element is measured by") {
  const std::vector<double> want = {1.0, -1.0}, got = {1.0 + 3e-6, -1.0};
  CHECK_FALSE(compare(got, want, 1e-6).passed());  // 1 + rms = 2
  const std::vector<double> one = {2.0}, each = {2.0, 0.0}, other = {0.0, 2.0};
  CHECK(compare(got, want, 1e-6, Rule::scaled, one).passed());
  CHECK(compare(got, want, 1e-6, Rule::scaled, one).max_error == Approx(3e-6 / 4.0));
  CHECK(compare(got, want, 1e-6, Rule::scaled, each).passed());
  CHECK_FALSE(compare(got, want, 1e-6, Rule::scaled, other).passed());
  CHECK(compare(got, want, 1e-6, Rule::mean_relative, each).max_error == Approx(0.5e-6));
  const std::vector<double> zero = {0.0}, nearly = {1e-12};
  CHECK(compare(nearly, zero, 1e-6, Rule::relative, one).passed());
  const std::vector<double> negative = {-1.0}, three = {1.0, 1.0, 1.0},
                            infinite = {std::numeric_limits<double>::infinity()};
  CHECK_THROWS_AS(compare(got, want, 1e-6, Rule::scaled, negative), InputError);
  CHECK_THROWS_AS(compare(got, want, 1e-6, Rule::scaled, three), InputError);
  CHECK_THROWS_AS(compare(got, want, 1e-6, Rule::scaled, infinite), InputError);
  CHECK_THROWS_AS(compare(got, want, 1e-6, Rule::absolute, one), InputError);
}

TEST_CASE("what a comparison says of each verdict, and what it keeps of both sides") {
  const Values want = {1.0, 2.0, 4.0, 8.0};
  Values got = want;
  got[1] = 2.5;
  got[2] = 4.75;
  const Comparison apart = compare(got, want, 0.25, Rule::absolute);
  CHECK(apart.describe() == "element 1: got 2.5, want 2, error 0.5, allowed 0.25");
  CHECK(apart.max_error == 0.75);  // of losses as it is, not relative
  CHECK(apart.worst.index == 2);
  CHECK((apart.got_size == 4 && apart.want_size == 4 && apart.tolerance == 0.25));
  CHECK(compare(got, want, 1.0, Rule::absolute).describe() == "passed, largest error 0.75 at element 2");
  CHECK(compare(got, want, 0.25, Rule::relative).passed());  // 0.5 / 2 and 0.75 / 4
  CHECK(compare(got, want, 0.25, Rule::relative).worst.index == 1);
  CHECK(compare(got, want, 0.2, Rule::mean_relative).first.index == 1);
  const Comparison shorter = compare(std::span(got).first(3), want, 0.25);
  CHECK(shorter.describe() == "3 values where 4 were expected");
  CHECK(shorter.max_error == kInf);
  CHECK(compare({}, {}, 0.0).describe() == "nothing to compare");
  CHECK(compare({}, {}, 0.0).max_error == kInf);
  got[3] = -kInf;
  CHECK(compare(got, want, 0.25).describe() == "element 3 is not finite: got -inf, want 8");
  CHECK(root_mean_square({}) == 0.0);
  CHECK(root_mean_square(Values{3.0, -4.0, 0.0, 0.0}) == 2.5);
}

TEST_CASE("of equal errors the first is the worst, and a first element counts as any other") {
  const Values want(3, 1.0);
  CHECK(compare(Values{2.0, 1.0, 2.0}, want, 1e-3, Rule::absolute).worst.index == 0);
  CHECK(compare(Values{1.0, 1.0, 1.0}, want, 1e-3, Rule::absolute).worst.index == 0);
  CHECK(compare(Values{1.0, 1.0, 2.0}, want, 1e-3, Rule::absolute).first.index == 2);
}
