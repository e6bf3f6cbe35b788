// What a system file says that is made of it: reports, and tables in the source that programs include.
//
//   artifact "../configs/attention.hpp" { generator: "table" table: "attention"
//                                         row: "Row{{{architecture}}, {{tiles}}, {{evidence}}},  // {{fact}}" }
//
// makes one line of each fact with the entry `table: "attention"`, the system's and those that it inherits, and puts them
// between the lines "// spak table: attention" and "// spak end" of that file. {{name}} is an entry of the fact: a list as its
// values with commas between, a text in quotation marks, unless it is a word of the form kName, a constant of that file.
// {{name!}} is the text without quotation marks, {{fact}} the fact's name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/spak/system.hpp"

namespace ladder::spak {

/// An artifact as it should be: its file, relative to the system file's folder, and its text. `made` is false for an artifact
/// that another program generates: this one never runs it.
struct BuiltArtifact {
  std::string name;
  std::filesystem::path path;
  bool made = false;
  std::string text;
};

/// Throws InputError naming the artifact's place where a fact lacks an entry of its row, or its file lacks the marks.
std::vector<BuiltArtifact> built_artifacts(const std::vector<System>& lineage);

/// A system for people, as Markdown: what `ladder spak show` says, with tables.
std::string report_of(const std::vector<System>& lineage);

}  // namespace ladder::spak
