// Run records: what was measured, on what, from which sources. Committed under tests/bench/results/NAME.json; every
// generated table of the READMEs comes from them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/records/machine.hpp"

namespace ladder {

struct RecordRow {
  std::string name;
  std::string sources;  ///< source_set() it depends on; empty: depends on no source that is timed
  std::string hash;     ///< of that set when this row was measured
  Json values = Json::object();
};

struct Record {
  std::string name;     ///< "speedup-micro": the file's name without ".json", and the table's name
  std::string command;  ///< the call that made it
  std::string work;     ///< what was done, in one clause
  std::string date;     ///< UTC
  Machine machine;
  Build build;
  std::vector<RecordRow> rows;
};

/// With name, command and work; date, machine and build are those of now.
Record new_record(std::string name, std::string command, std::string work, Device device = Device::automatic);

/// The files that a row's figures depend on, as patterns from the source folder: a folder (all its code files) or a
/// single file, with or without its suffix ("shared/model/ops": ops.hpp and ops.cpp); "!" in front takes a file or
/// folder out again. Sets: "interpreter", "stage0", "stage1", "stage2", "stage3" (both on their CPU models),
/// "stage2-gpu", "stage3-gpu" (the same kernels on a GPU, which the CPU models have no part in), "stage3-kernels" (what
/// nvcc compiles, for figures without a run), "stage4", "stage4-gpu" (with GPT-2's model text), and several
/// joined by '+'.
/// What only measures, draws or chooses (race, chain, records, make_ops) is in no set: it does not change how
/// fast a stage is. Of a CMakeLists.txt only the lines that choose compiler options count; the general flags
/// stand in a record's `build`.
std::vector<std::string> source_set(const std::string& name);

/// "stage2", or "stage2-gpu" for a stage with GPU kernels that ran on a GPU: the set of a row about one stage.
std::string source_set_of(int stage, bool on_gpu);

/// Sixteen hexadecimal digits over the contents of a set's files. Of C++, comments, white space and `#include` lines do
/// not count; paths never do, and files enter in the order of their contents: a file that moves or is renamed, and
/// every include of it, leaves the hash as it was. Throws InputError when a file of the set is not there, as in an
/// installed program without its sources.
std::string source_hash(const std::string& set, const std::filesystem::path& folder = source_folder());

/// A row is stale when the sources it names have changed since.
bool is_stale(const RecordRow& row, const std::filesystem::path& folder = source_folder());

std::filesystem::path records_folder(const std::filesystem::path& folder = source_folder());

/// Where a record of that name lies. Throws InputError for a name with anything but letters, digits, '-', '_' and '.', or one
/// that begins with a dot.
std::filesystem::path record_file(const std::string& name);

/// {"format": "ladder-record/1", ...}; completely or not at all.
void write_record(const std::filesystem::path& path, const Record& record);
/// Throws InputError naming the file and what is wrong with it.
Record read_record(const std::filesystem::path& path);
/// All of a folder, by name. A name that differs from the file's is an error.
std::vector<Record> read_records(const std::filesystem::path& folder);

}  // namespace ladder
