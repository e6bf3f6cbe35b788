// ladder spak ingest: takes results in that were measured elsewhere.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"

namespace ladder::cli {

namespace {

namespace fs = std::filesystem;

struct IngestFlags {
  std::vector<std::string> files;
  std::string into;
};

/// The files that are named, and those of folders: *.jsonl, in the order of their names.
std::vector<fs::path> files_of(const std::vector<std::string>& named) {
  std::vector<fs::path> files;
  for (const std::string& name : named) {
    std::error_code ignored;
    if (!fs::is_directory(name, ignored)) {
      files.emplace_back(name);
      continue;
    }
    const std::size_t before = files.size();
    for (const auto& entry : fs::recursive_directory_iterator(name))
      if (entry.is_regular_file() && entry.path().extension() == ".jsonl") files.push_back(entry.path());
    require(files.size() > before, "{}: a folder without a .jsonl file", shown(name));
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  return files;
}

void run_ingest(const IngestFlags& flags) {
  const std::vector<fs::path> files = files_of(flags.files);
  require_distinct_outputs(files, {flags.into});
  const fs::path into = flags.into;
  require(into.extension() == ".jsonl", "--into {}: a trace is a file that ends in .jsonl",
          shown(flags.into));
  std::error_code ignored;
  const std::vector<Json> known =
      fs::exists(into, ignored) ? spak::read_trace(into).items : std::vector<Json>();
  std::vector<Json> heard;
  for (const fs::path& file : files)
    for (Json& item : spak::read_trace(file).items) heard.push_back(std::move(item));
  const std::vector<Json> fresh = spak::fresh_items(known, heard, into.stem().string());
  if (!into.parent_path().empty()) require_writable_folder(into.parent_path());
  spak::append_items(into, fresh);
  fmt::print("{} items added to {}, {} were in it already\n", fresh.size(), shown(into.string()),
             heard.size() - fresh.size());
}

}  // namespace

void add_spak_ingest(CLI::App& app) {
  CLI::App& command = add_command(app, "ingest", "take results in that were measured elsewhere, each once");
  const auto flags = std::make_shared<IngestFlags>();
  add_texts(
      command, "files", flags->files,
      "traces (.jsonl), folders of them, training runs (ladder train --trace) and records of times (.json)")
      .type("FILE ...")
      .required();
  add_text(command, "--into", flags->into, "the trace that they are appended to")
      .type("FILE.jsonl")
      .required();
  set_action(command, [flags] { run_ingest(*flags); });
}

}  // namespace ladder::cli
