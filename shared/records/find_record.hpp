// Which record a page means.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/records/records.hpp"

namespace ladder {

/// The record called `name`; null where there is none. A name that ends in "-gpu" is a record whose last word
/// names the card that measured, "speedup-small-h200" for "speedup-small-gpu": so pages stay as they are when
/// another card measures. Of several cards it is the one with the fewest stale rows (against the sources in
/// `folder`), then the newest.
const Record* find_record(const std::string& name, const std::vector<Record>& records,
                          const std::filesystem::path& folder);

}  // namespace ladder
