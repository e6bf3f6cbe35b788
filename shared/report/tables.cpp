#include "shared/report/tables.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/report/evidence.hpp"
#include "shared/spak/item_table.hpp"
#include "shared/spak/ladder_tables.hpp"
#include "shared/spak/speed_table.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOpen = "<!-- generated: ", kOpenEnd = " -->", kClose = "<!-- /generated -->";

bool starts_with(const std::string& text, std::string_view prefix) { return text.rfind(prefix, 0) == 0; }

std::string with_mark(const RecordRow& row, std::size_t i, const std::vector<bool>& stale) {
  std::string name = row.name;
  if (row.values.value("emulated", false)) name += " (emulated)";
  if (const std::string device = row.values.value("device", std::string()); !device.empty())
    name += " (" + device + ")";
  if (i < stale.size() && stale[i]) name += " (stale)";
  return name;
}

/// A number of the row, or empty text where the row does not have it.
template <class Format>
std::string cell(const RecordRow& row, const char* key, Format format) {
  const Json* at = row.values.find(key);
  if (at == nullptr || !at->is_number()) return {};
  return format(at->get<double>());
}

std::string text_cell(const RecordRow& row, const char* key) { return row.values.value(key, std::string()); }

std::string error_of_limit(double error, double limit) {
  if (limit == 0.0) return error == 0.0 ? "same bits" : "differs";
  return fmt::format("{:.1e} of {:.1e}", error, limit);
}

std::string percent(double share) { return fmt::format("{:.0f}%", 100.0 * share); }

std::string parity_text(const RecordRow& row) {
  if (std::string reason = text_cell(row, "not_run"); !reason.empty()) return reason;
  if (!row.values.contains("parity_error")) return text_cell(row, "parity_note");
  return error_of_limit(row.values.value("parity_error", 0.0), row.values.value("parity_limit", 0.0)) +
         (row.values.value("proven", false) ? "" : " FAILED");
}

std::string caption(const Record& record) {
  return fmt::format("Made by `{}`: {}. {}; {}; {}.\n", record.command, record.work, describe(record.machine),
                     describe(record.build), record.date.substr(0, 10));
}

std::string output_block(const Record& record) {
  std::string text = "```\n$ " + record.command + "\n";
  for (const RecordRow& row : record.rows)
    for (const auto& line : row.values.value("lines", std::vector<std::string>())) text += line + "\n";
  return text + "```\n";
}

std::vector<bool> staleness(const Record& record, const fs::path& folder) {
  std::vector<bool> stale;
  for (const RecordRow& row : record.rows) stale.push_back(is_stale(row, folder));
  return stale;
}

bool has_record(const std::string& block, const std::vector<Record>& records, const fs::path& folder) {
  if (const std::string ladder = ladder_of_block(block); !ladder.empty())
    return fs::exists(items_path(folder, ladder + "_ladder"));
  return block == "tolerances" || block == "speed" || names_items(block) ||
         std::any_of(records.begin(), records.end(),
                     [&](const Record& record) { return record.name == block; });
}

/// The files that may hold blocks: the README of the project, the map of shared/, the READMEs of each stage, of its rooms and of its kernel ladders.
std::vector<fs::path> documents(const fs::path& folder) {
  std::vector<fs::path> files;
  const auto add_from = [&](const fs::path& room) {
    if (fs::is_regular_file(room / "README.md")) files.push_back(room / "README.md");
  };
  add_from(folder);
  if (fs::is_regular_file(folder / "shared" / "HACKING.md"))
    files.push_back(folder / "shared" / "HACKING.md");
  for (const auto& item : fs::directory_iterator(folder))
    if (item.is_directory() && starts_with(item.path().filename().string(), "stage")) {
      add_from(item.path());
      for (const auto& room : fs::directory_iterator(item.path()))
        if (room.is_directory()) add_from(room.path());
      if (!fs::is_directory(item.path() / "ladder")) continue;
      for (const auto& ladder : fs::directory_iterator(item.path() / "ladder"))
        if (ladder.is_directory()) add_from(ladder.path());
    }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Cells speedup_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {
      {"", "per document", "middle half", "× interpreter", "× stage below", "parity of the losses"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RecordRow& row = rows[i];
    const std::string low = cell(row, "q1", format_seconds), high = cell(row, "q3", format_seconds);
    const std::string median = cell(row, "seconds", format_seconds);
    cells.push_back({with_mark(row, i, stale), median.empty() ? "-" : median,
                     low.empty() ? "" : fmt::format("{} to {}", low, high),
                     cell(row, "times_interpreter", format_count), cell(row, "times_below", format_count),
                     parity_text(row)});
  }
  return cells;
}

Cells parity_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "kernels", "blocks", "gradients, logits", "losses", "samples"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RecordRow& row = rows[i];
    std::vector<std::string> line = {with_mark(row, i, stale)};
    for (const char* level : {"kernel", "block", "model", "loss"}) {
      const Json* found = row.values.find(level);
      line.push_back(found == nullptr
                         ? std::string()
                         : error_of_limit(found->value("error", 0.0), found->value("limit", 0.0)) +
                               (found->value("passed", false) ? "" : " FAILED"));
    }
    line.push_back(text_cell(row, "samples"));
    cells.push_back(std::move(line));
  }
  return cells;
}

namespace {

std::string short_name_of(Rule rule) {
  switch (rule) {
    case Rule::scaled:
      return "scaled";
    case Rule::absolute:
      return "absolute";
    case Rule::bits:
      return "bits";
    case Rule::relative:
      return "relative";
    case Rule::mean_relative:
      return "mean, relative";
  }
  return "?";
}

}  // namespace

Cells tolerance_cells() {
  Cells cells = {{"what", "type", "compared with", "rule", "measured", "limit", "ceiling", "why"}};
  for (const Tolerance& row : tolerances())
    cells.push_back({row.what, std::string(name_of(row.dtype)), row.reference, short_name_of(row.rule),
                     row.measured ? fmt::format("{:.1e}", *row.measured) : "-",
                     fmt::format("{:.1e}", row.limit()), fmt::format("{:.0e}", row.ceiling), row.reason});
  return cells;
}

Cells profile_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "launches", "each", "of the step", "bytes", "asked for", "FLOPs", "of copy",
                  "of arithmetic", "nearest to"}};
  const bool counted = std::any_of(
      rows.begin(), rows.end(), [](const RecordRow& row) { return row.values.contains("bytes_requested"); });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RecordRow& row = rows[i];
    cells.push_back({with_mark(row, i, stale), cell(row, "launches", format_count),
                     cell(row, "seconds", format_seconds), cell(row, "share_of_step", percent),
                     cell(row, "bytes", format_count), cell(row, "bytes_requested", format_count),
                     cell(row, "flops", format_count), cell(row, "share_of_copy", percent),
                     cell(row, "share_of_arithmetic", percent), text_cell(row, "bound")});
  }
  if (!counted)
    for (auto& line : cells)
      line.erase(line.begin() + 5);  // a stage that counts no requests has no such column
  return cells;
}

Cells resource_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"registers, shared KiB, threads, resident blocks"}};
  std::vector<std::string> total = {"all compiled types: kernels, of them with spills"};
  std::map<std::string, bool> in_bf16;
  for (const RecordRow& row : rows)
    for (const Json& kernel : row.values.at("kernels"))
      in_bf16[kernel.at("kernel").get<std::string>()] |=
          starts_with(kernel.at("arguments").get<std::string>(), "bf16");
  std::map<std::string, std::vector<std::string>> lines;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json& kernels = rows[i].values.at("kernels");
    const bool ran = rows[i].values.value("run_on_hardware", false);
    cells[0].push_back(with_mark(rows[i], i, stale) + (ran ? "" : ", not run on hardware"));
    int spilling = 0;
    for (const Json& kernel : kernels) {
      const int spilled = kernel.at("spilled_bytes").get<int>();
      spilling += spilled > 0 ? 1 : 0;
      const auto name = kernel.at("kernel").get<std::string>(),
                 arguments = kernel.at("arguments").get<std::string>();
      if (!starts_with(arguments, in_bf16[name] ? "bf16" : "fp32")) continue;
      std::vector<std::string>& line = lines[fmt::format("{} {}", name, arguments)];
      line.resize(rows.size());
      line[i] = fmt::format("{}, {:.1f}, {}, {}", kernel.at("registers").get<int>(),
                            kernel.at("shared_bytes").get<double>() / 1024, kernel.at("threads").get<int>(),
                            kernel.at("resident_blocks").get<int>());
      if (spilled > 0) line[i] += fmt::format(", {} B spilled", spilled);
    }
    total.push_back(fmt::format("{}, {}", kernels.size(), spilling));
  }
  for (auto& [name, line] : lines) {
    line.insert(line.begin(), name);
    cells.push_back(std::move(line));
  }
  cells.push_back(std::move(total));
  return cells;
}

std::string render_block(const std::string& name, const std::vector<Record>& records,
                         const fs::path& folder) {
  if (name == "tolerances") return markdown_table(tolerance_cells());
  if (name == "speed") return render_speed(folder, evidence_of_configurations());
  if (names_items(name)) return render_items(name, folder);
  if (const std::string ladder = ladder_of_block(name); !ladder.empty()) return render_ladder(ladder, folder);
  const auto found =
      std::find_if(records.begin(), records.end(), [&](const Record& r) { return r.name == name; });
  require(found != records.end(), "there is no record '{}' in {}", name, records_folder(folder).string());
  const std::vector<bool> stale = staleness(*found, folder);
  if (starts_with(name, "speedup-"))
    return markdown_table(speedup_cells(found->rows, stale)) + "\n" + caption(*found);
  if (starts_with(name, "parity"))
    return markdown_table(parity_cells(found->rows, stale)) + "\n" + caption(*found);
  if (starts_with(name, "profile-"))
    return markdown_table(profile_cells(found->rows, stale)) + "\n" + caption(*found);
  if (name.find("-resources") != std::string::npos)
    return markdown_table(resource_cells(found->rows, stale)) + "\n" + caption(*found);
  const bool any_stale = std::find(stale.begin(), stale.end(), true) != stale.end();
  return output_block(*found) + (any_stale ? "\n(stale: the program has changed since)\n" : "");
}

std::string replace_blocks(const std::string& text, const std::string& source,
                           const std::function<std::string(const std::string&)>& render) {
  std::string result;
  std::size_t at = 0;
  for (;;) {
    const std::size_t open = text.find(kOpen, at), close = text.find(kClose, at);
    require(open != std::string::npos || close == std::string::npos, "{}: a '{}' without its opening line",
            source, kClose);
    if (open == std::string::npos) return result + text.substr(at);
    require(close != std::string::npos && open < close,
            "{}: a '{}' that does not belong to an open block, or none", source, kClose);
    const std::size_t name_start = open + kOpen.size(), name_end = text.find(kOpenEnd, name_start);
    const std::size_t next_open = text.find(kOpen, name_start);
    require(name_end != std::string::npos && name_end < close &&
                (next_open == std::string::npos || next_open > close),
            "{}: the block opened at byte {} is not closed before the next one", source, open);
    const std::string name = text.substr(name_start, name_end - name_start);
    result += text.substr(at, name_end + kOpenEnd.size() - at) + "\n" + render(name) + std::string(kClose);
    at = close + kClose.size();
  }
}

TablesReport update_tables(const fs::path& folder, bool write) {
  const std::vector<Record> records = read_records(records_folder(folder));
  TablesReport report;
  for (const fs::path& path : documents(folder)) {
    const std::string text = read_file(path), name = fs::relative(path, folder).generic_string();
    const std::string updated = replace_blocks(text, name, [&](const std::string& block) -> std::string {
      try {
        if (has_record(block, records, folder)) return render_block(block, records, folder);
      } catch (const JsonError& error) {
        throw InputError(fmt::format("the record or items of block '{}': {}", block, error.what()));
      }
      report.missing.push_back(fmt::format("{}: block '{}' has no record", name, block));
      return fmt::format("*Not measured yet: there is no record `{}`.*\n", block);
    });
    if (updated == text) continue;
    report.changed.push_back(name);
    if (write) write_file(path, updated);
  }
  for (const Record& record : records)
    for (const RecordRow& row : record.rows)
      if (is_stale(row, folder))
        report.stale.push_back(
            fmt::format("{}: row '{}' timed other sources than these", record.name, row.name));
  return report;
}

}  // namespace ladder
