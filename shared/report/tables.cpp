#include "shared/report/tables.hpp"

#include <algorithm>
#include <map>

#include "shared/check/tolerances.hpp"

namespace ladder {

std::string marked_name(const RecordRow& row, bool stale) {
  std::string name = row.name;
  if (row.values.value("emulated", false)) name += " (emulated)";
  if (const std::string device = row.values.value("device", std::string()); !device.empty())
    name += " (" + device + ")";
  return name + (stale ? " (stale)" : "");
}

namespace {

std::string with_mark(const RecordRow& row, std::size_t i, const std::vector<bool>& stale) {
  return marked_name(row, i < stale.size() && stale[i]);
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

std::string two_digits(double times) { return fmt::format("{:.2f}", times); }

std::string parity_text(const RecordRow& row) {
  if (std::string reason = text_cell(row, "not_run"); !reason.empty()) return reason;
  if (!row.values.contains("parity_error")) return text_cell(row, "parity_note");
  const std::string over = cell(
      row, "steady_steps", [](double steps) { return fmt::format(", over the first {:.0f} steps", steps); });
  return error_of_limit(double_of(row.values.at("parity_error")), row.values.value("parity_limit", 0.0)) +
         over + (row.values.value("proven", false) ? "" : " FAILED");
}

}  // namespace

Cells speedup_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "per document", "middle half", "× interpreter", "× stage below", "× PyTorch",
                  "parity of the losses"}};
  const bool raced = std::any_of(rows.begin(), rows.end(),
                                 [](const RecordRow& row) { return row.values.contains("times_pytorch"); });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RecordRow& row = rows[i];
    const std::string low = cell(row, "q1", format_seconds), high = cell(row, "q3", format_seconds);
    const std::string median = cell(row, "seconds", format_seconds);
    cells.push_back({with_mark(row, i, stale), median.empty() ? "-" : median,
                     low.empty() ? "" : fmt::format("{} to {}", low, high),
                     cell(row, "times_interpreter", format_count),
                     row.values.value("emulated", false) ? "" : cell(row, "times_below", format_count),
                     cell(row, "times_pytorch", two_digits), parity_text(row)});
  }
  if (!raced)
    for (auto& line : cells) line.erase(line.begin() + 5);
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
                         : error_of_limit(double_of(found->at("error")), double_of(found->at("limit"))) +
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
                  "of arithmetic", "nearest to", "above its floor, a step"}};
  const bool counted = std::any_of(
      rows.begin(), rows.end(), [](const RecordRow& row) { return row.values.contains("bytes_requested"); });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RecordRow& row = rows[i];
    cells.push_back({with_mark(row, i, stale), cell(row, "launches", format_count),
                     cell(row, "seconds", format_seconds), cell(row, "share_of_step", percent),
                     cell(row, "bytes", format_count), cell(row, "bytes_requested", format_count),
                     cell(row, "flops", format_count), cell(row, "share_of_copy", percent),
                     cell(row, "share_of_arithmetic", percent), text_cell(row, "bound"),
                     cell(row, "above_floor", format_seconds)});
  }
  if (!counted)
    for (auto& line : cells)
      line.erase(line.begin() + 5);  // a stage that counts no requests has no such column
  return cells;
}

Cells checklist_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "outcome", "time", "what came out"}};
  for (std::size_t i = 0; i < rows.size(); ++i)
    cells.push_back({with_mark(rows[i], i, stale), text_cell(rows[i], "outcome"),
                     cell(rows[i], "seconds", format_seconds), text_cell(rows[i], "summary")});
  return cells;
}

Cells decode_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "rows", "time", "× the next token"}};
  for (std::size_t i = 0; i < rows.size(); ++i)
    cells.push_back({with_mark(rows[i], i, stale),
                     cell(rows[i], "rows", [](double n) { return fmt::format("{:.0f}", n); }),
                     cell(rows[i], "seconds", format_seconds), cell(rows[i], "times_token", [](double times) {
                       return fmt::format("{:.1f}", times);
                     })});
  return cells;
}

Cells resource_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"registers, shared KiB, threads, resident blocks"}};
  std::vector<std::string> total = {"all compiled types: kernels, of them with spills"};
  std::map<std::string, bool> in_bf16;
  for (const RecordRow& row : rows)
    for (const Json& kernel : row.values.at("kernels"))
      in_bf16[kernel.at("kernel").get<std::string>()] |=
          kernel.at("arguments").get<std::string>().starts_with("bf16");
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
      if (!arguments.starts_with(in_bf16[name] ? "bf16" : "fp32")) continue;
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

namespace {

std::string made_where(const Record& record) {
  return fmt::format("{}; {}; {}", describe(record.machine), describe(record.build),
                     record.date.substr(0, 10));
}

}  // namespace

std::string caption(const std::vector<const Record*>& records) {
  const Record& first = *records.front();
  const bool alike = std::all_of(records.begin(), records.end(), [&](const Record* record) {
    return record->command == first.command && record->work == first.work;
  });
  std::string text;
  std::vector<std::string> places;
  for (const Record* record : records) {
    const std::string made = fmt::format("Made by `{}`: {}.", record->command, record->work);
    const std::string place = made_where(*record);
    if (text.empty() || !alike) text += (text.empty() ? "" : "\n\n") + made;
    if (alike && std::find(places.begin(), places.end(), place) != places.end()) continue;
    places.push_back(place);
    text += " " + place + ".";
  }
  return text + "\n";
}

bool any_stale(const Record& record, const std::filesystem::path& folder) {
  return std::any_of(record.rows.begin(), record.rows.end(),
                     [&](const RecordRow& row) { return is_stale(row, folder); });
}

}  // namespace ladder
