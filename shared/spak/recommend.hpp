// Which configuration to take in a situation, and which knowledge says so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/spak/expiry.hpp"
#include "shared/spak/space.hpp"

namespace ladder::spak {

/// A statement that recommends a value, or forbids one.
struct Voice {
  std::string kind;  ///< "fact", "rule"; "given" for --set; "first" where nothing speaks
  std::string name;
  std::optional<double> confidence;
  std::string system;     ///< that it is inherited from; "" for the system's own
  std::string condition;  ///< its `when`; of one that forbids, what it forbids
  std::vector<std::string> evidence;
  std::string expired;  ///< what has changed since it was measured
  std::string contradicted_by;
  bool refuted = false;  ///< measured again, it did not hold, nor was it verified since
};

/// A value that was not taken.
struct PassedOver {
  Json value;
  Voice voice;
  std::string why;
};

struct AxisAdvice {
  std::string axis;
  Json value;
  Voice voice;
  std::vector<PassedOver> passed_over;
};

struct Recommendation {
  std::vector<AxisAdvice> axes;
  std::vector<Voice> forbidding;  ///< rules that apply here, and forbid something
  std::vector<Voice> open;  ///< rules and facts whose condition asks for what is not set, and what that is
  std::optional<Pruning>
      forbidden;  ///< by what the whole configuration is forbidden, where nothing else is left
  Json configuration() const;
};

/// Walks through the axes in their order. Of the facts and rules of the lineage whose condition holds, the most certain
/// counts (without a confidence: 0.5); among equals the child's before its parents', facts before rules, then the order of the
/// file. A value that the axis does not have, or that is forbidden beside the values so far, is passed over. Where nothing
/// speaks, the first value that is not forbidden is taken. A parent's statement is hidden by one of the same name.
/// `now`: what statements are held against that may have expired; those still count, and say so.
Recommendation recommend(const std::vector<System>& lineage, const EngineeringLoop& loop, const Json& set,
                         const Surroundings& now);

Json json_of(const Recommendation& recommendation);

}  // namespace ladder::spak
