// When knowledge expires: with the toolkit, the driver and the kernel's text that it was measured with.
#pragma once

#include <filesystem>
#include <string>

#include "shared/spak/system.hpp"

namespace ladder::spak {

/// What a measurement depends on besides the point; empty where it is not known.
struct Surroundings {
  std::string toolkit, driver, sources;
};

/// A hash of the names and bytes of the files that a loop lists as `sources: ["kernel.cuh", ...]`, beside the system file or
/// below `root`; "" for a loop without. Throws InputError for a file that is not there.
std::string sources_hash(const System& system, const EngineeringLoop& loop,
                         const std::filesystem::path& root);

/// What has changed since a statement was measured, or last verified: "toolkit 13.3 then, 13.5 now"; "" where nothing is known
/// to have changed.
std::string expired(const Statement& statement, const Surroundings& now);

}  // namespace ladder::spak
