// Where the records of a call go, settled before its work, and how they get there.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "shared/cli/outputs.hpp"
#include "shared/records/records.hpp"

namespace ladder::cli {

/// To be called before the work: throws InputError for a record's name that is none, where a record or one of `files` cannot
/// be written, or where two of them, or one of them and an input, are the same file. `names` are empty without --record;
/// empty files were not asked for. `growing` is one more file, which is written piece by piece.
void require_outputs(const std::vector<std::filesystem::path>& inputs, const std::vector<std::string>& files,
                     const std::vector<std::string>& names, const std::string& growing = {});

/// To be called first of all: a picture is SVG; throws InputError for a name that ends as another format's.
void require_svg(const std::filesystem::path& picture);

/// Puts the record among the program's own, and says where.
void keep_record(Outputs& outputs, const Record& record);
/// The record under --json, and where it was asked for among the program's own.
void write_records(Outputs& outputs, const std::string& json, bool record_asked, const Record& record);

/// Throws InputError for a --name that was given though no record is written, or that no record can have.
void require_record_name(const std::string& name, bool written);

/// The names where a record was asked for, else none.
inline std::vector<std::string> recorded(bool record, std::vector<std::string> names) {
  return record ? std::move(names) : std::vector<std::string>();
}

}  // namespace ladder::cli
