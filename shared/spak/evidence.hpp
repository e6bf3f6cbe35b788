// What traces say about a loop's space, put in order: by situation, and there by point.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/spak/space.hpp"
#include "shared/spak/trace.hpp"

namespace ladder::spak {

/// All that was measured of one point in one situation. Costs are logarithms: the less, the better, and a difference is
/// a ratio of what was measured.
struct PointEvidence {
  std::uint64_t point = 0;
  bool measured = false;               ///< its last item is a measured value; otherwise it failed
  std::string outcome = {};            ///< of the last item
  double cost = 0, low = 0, high = 0;  ///< mean of the medians; ends of their middle halves
  double error = 0;                    ///< standard error of `cost`
  double samples = 0;
  std::vector<std::uint32_t> items = {};  ///< where it comes from: indices into Evidence::sources
};

/// Points measured in the same situation: the same settings, work, device, type of numbers, toolkit and kind of evidence.
struct Group {
  Json situation =
      Json::object();         ///< what a rule's condition may ask for: settings, work, device, dtype, ...
  Json set = Json::object();  ///< of these, the settings that a sweep was called with
  std::string device, toolkit, driver, sources;
  bool is_static = false;             ///< a compiler's report instead of a measurement
  std::string first_date, date;       ///< the days of the first and of the last item
  std::size_t days = 0;               ///< different days
  std::vector<PointEvidence> points;  ///< by their numbers
  double freedom = 0;  ///< degrees of freedom of the errors; 0: nothing is known about the noise
  std::size_t measured() const;
  const PointEvidence* find(std::uint64_t point) const;
};

/// Where items come from.
struct Source {
  const Trace* trace;
  std::uint32_t item;
};

struct Evidence {
  std::vector<Group> groups;  ///< in the order of their first dates, then of their first items
  std::vector<Source> sources;
  std::size_t items = 0;     ///< of this loop
  std::size_t outside = 0;   ///< of the loop, but with a configuration that its space does not have
  std::size_t unusable = 0;  ///< measured values that are no numbers above 0
};

/// What belongs to what.
struct EvidenceWanted {
  const Space& space;
  const EngineeringLoop& loop;
  std::string system;
  Json set = Json::object();  ///< only items that say so are taken
};

/// The items of the loop in the traces, which must outlive the result. An item's situation holds
///   - what its "set" says, and "work", "device", "dtype" and the fields that the loop lists as `situation: [...]`;
///   - what its configuration says beyond the axes of the space, and beyond the loop's own `configuration`.
/// The errors follow statistics.hpp, with two precautions: the deviation of one sample counts as no less than that of
/// all points of the group together; and where points were measured more than once, in several processes, and these differ by
/// more than their samples explain (an F test at 5%), the error of an item is no less than what they differ by, and the
/// degrees of freedom are theirs. Static evidence has no noise.
Evidence evidence_of(const EvidenceWanted& wanted, const std::vector<Trace>& traces);

}  // namespace ladder::spak
