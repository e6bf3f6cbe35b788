// ladder tables: the generated parts of the READMEs from the committed records.
#include "shared/report/blocks.hpp"

#include <fmt/core.h>

#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/failed_call.hpp"
#include "shared/base/lines.hpp"
#include "shared/base/process.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"

namespace ladder::cli {
namespace {

struct TablesFlags {
  bool check = false;
  std::string folder = source_folder().string();
};

constexpr std::size_t kLongestLine = 300;

void require_source_folder(const std::filesystem::path& folder) {
  std::error_code problem;
  const bool is_folder = std::filesystem::is_directory(folder, problem);
  require_call(is_folder, problem.value(), "{}: is no folder{}: name the one with the READMEs and {}",
               shown(folder.string()), problem ? " (" + problem.message() + ")" : std::string(),
               records_folder("").string());
}

void run_tables(const TablesFlags& flags) {
  require_source_folder(flags.folder);
  const TablesReport report = update_tables(flags.folder, !flags.check);
  for (const std::string& file : report.changed)
    fmt::print("{} {}\n", flags.check ? "differs from the records:" : "rewrote", shown(file, kLongestLine));
  for (const std::string& block : report.missing) fmt::print("missing: {}\n", shown(block, kLongestLine));
  for (const std::string& row : report.stale) fmt::print("stale: {}\n", shown(row, kLongestLine));
  if (report.clean()) fmt::print("all generated parts agree with the records; no row is stale\n");
  if (flags.check && !report.clean())
    throw CheckError(
        "generated tables are out of date: measure again (ladder speedup --record, ladder parity --record), "
        "then run ladder tables");
}

struct CaptureFlags {
  std::string name, sources, script;
  std::vector<std::string> arguments;
};

void run_capture(const CaptureFlags& flags) {
  require(!flags.arguments.empty() || !flags.script.empty(), "name a call of this program, after --");
  require_outputs({}, {}, {flags.name});
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string call = "./ladder";
  std::vector<std::string> words = {program};
  if (!flags.script.empty()) {
    words = {"python3", flags.script, program};
    const std::filesystem::path script = std::filesystem::absolute(flags.script);
    call = "python3 " + shell_word(script.lexically_relative(source_folder()).string()) + " build/ladder";
  }
  for (const std::string& argument : flags.arguments) {
    call += " " + shell_word(argument);
    words.push_back(argument);
  }
  const std::string output = output_of(words);
  require(!output.empty(), "{}: printed nothing or failed: nothing was recorded", call);
  Record record = new_record(flags.name, call, "the program's own output");
  RecordRow row{"output", flags.sources, flags.sources.empty() ? "" : source_hash(flags.sources), {}};
  row.values["lines"] = lines_of(output);
  record.rows.push_back(std::move(row));
  Outputs outputs;
  keep_record(outputs, record);
  outputs.finish();
}

}  // namespace

void add_tables(CLI::App& app) {
  const auto flags = std::make_shared<TablesFlags>();
  const auto capture = std::make_shared<CaptureFlags>();
  add_switch(app, "--check", flags->check,
             "write nothing; exit 1 if a table differs from its record or a row is stale");
  add_text(app, "--source-dir", flags->folder,
           "the source folder (default: the one this program was built from)")
      .type("DIR");
  CLI::App& sub = add_command(app, "capture", "record the output of a call of this program, for a README");
  add_text(sub, "name", capture->name, "of the record and the block").required().type("NAME");
  add_texts(sub, "arguments", capture->arguments, "the call, after --").type("ARGS").may_be_empty();
  add_text(sub, "--script", capture->script, "a Python script to call with this program and the arguments")
      .type("FILE");
  add_text(sub, "--sources", capture->sources, "source set whose change makes the output stale").type("SET");
  set_action(sub, [capture] { run_capture(*capture); });
  set_action(app, [flags, &app] {
    if (!calls_command(app)) run_tables(*flags);
  });
}

}  // namespace ladder::cli
