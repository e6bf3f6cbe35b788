// ladder spak export and import: results for other tuners, and theirs for us.
#include <fmt/core.h>

#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/spak/t4.hpp"

namespace ladder::cli {

namespace {

struct ExportFlags : KnowledgeFlags {
  std::string loop, format = "t4", output;
};

void run_export(const ExportFlags& flags) {
  std::vector<std::filesystem::path> inputs(flags.traces.begin(), flags.traces.end());
  inputs.emplace_back(flags.file);
  require_distinct_outputs(inputs, {flags.output});
  require_writable_file(flags.output);
  require(!flags.traces.empty(), "--trace is needed: what is to be exported");
  const std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  const spak::EngineeringLoop& loop = loop_of(lineage.front(), flags.loop);
  spak::Measuring measuring{lineage.front().name, loop.name, loop.metric, loop.maximize};
  measuring.set = settings_of(flags);
  const spak::Plan plan(lineage, loop, measuring.set, false);
  std::vector<Json> items;
  for (const std::string& file : flags.traces)
    for (Json& item : spak::read_trace(file).items) items.push_back(std::move(item));
  const bool is_t4 = flags.format == "t4";
  const Json json = is_t4 ? spak::t4_of(plan.space(), loop, measuring, items)
                          : spak::kernel_tuner_cache_of(plan.space(), loop, measuring, items);
  const std::size_t results = json[is_t4 ? "results" : "cache"].size();
  require(results > 0, "the traces hold no point of '{}' with this space and these settings",
          shown(loop.name));
  write_file(flags.output, json.dump(1) + "\n");
  fmt::print("{} results in {}\n", results, shown(flags.output));
}

struct ImportFlags {
  std::string file, system, loop, into;
};

void run_import(const ImportFlags& flags) {
  require_distinct_outputs({flags.file}, {flags.into});
  const std::filesystem::path into = flags.into;
  require(into.extension() == ".jsonl", "--into {}: a trace is a file that ends in .jsonl",
          shown(flags.into));
  const std::string name = shown(flags.file).str();
  const std::vector<Json> heard =
      spak::items_of_t4(json_object(read_file(flags.file), name), flags.system, flags.loop, name);
  std::error_code ignored;
  const std::vector<Json> known =
      std::filesystem::exists(into, ignored) ? spak::read_trace(into).items : std::vector<Json>();
  const std::vector<Json> fresh = spak::fresh_items(known, heard, into.stem().string());
  spak::append_items(into, fresh);
  fmt::print("{} items added to {}, {} were in it already\n", fresh.size(), shown(flags.into),
             heard.size() - fresh.size());
}

}  // namespace

void add_spak_export(CLI::App& app) {
  CLI::App& command =
      add_command(app, "export", "a trace for other tuners: T4 results, or Kernel Tuner's cache file");
  const auto flags = std::make_shared<ExportFlags>();
  add_knowledge_flags(command, *flags);
  add_text(command, "--loop", flags->loop, "which of its loops").type("NAME");
  add_choice(command, "--format", flags->format, {"t4", "kernel-tuner"}, "of the file").shows_default();
  add_text(command, "-o,--output", flags->output, "the file").type("FILE.json").required();
  set_action(command, [flags] { run_export(*flags); });
}

void add_spak_import(CLI::App& app) {
  CLI::App& command = add_command(app, "import", "takes T4 results of another tuner as a trace");
  const auto flags = std::make_shared<ImportFlags>();
  add_text(command, "file", flags->file, "the T4 file").type("FILE.json").required();
  add_text(command, "--system", flags->system, "the system whose results they are").type("NAME").required();
  add_text(command, "--loop", flags->loop, "its loop").type("NAME").required();
  add_text(command, "--into", flags->into, "the trace that they are appended to")
      .type("FILE.jsonl")
      .required();
  set_action(command, [flags] { run_import(*flags); });
}

}  // namespace ladder::cli
