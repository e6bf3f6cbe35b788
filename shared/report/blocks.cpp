#include "shared/report/blocks.hpp"

#include <algorithm>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/records/find_record.hpp"
#include "shared/report/evidence.hpp"
#include "shared/report/front_page.hpp"
#include "shared/report/tables.hpp"
#include "shared/spak/item_table.hpp"
#include "shared/spak/ladder_tables.hpp"
#include "shared/spak/speed_table.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

using Records = std::vector<Record>;

constexpr std::string_view kOpen = "<!-- generated: ", kOpenEnd = " -->", kClose = "<!-- /generated -->";
constexpr std::string_view kGpu = "-gpu", kResources = "-resources";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == std::string_view::npos ? std::string() : std::string(text.substr(first, last - first + 1));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(trimmed(text.substr(at, end - at)));
    at = end + 1;
  }
  return parts;
}

/// A block's words, taken apart: "excerpt climb-output: model | data" is the verb "excerpt", the records
/// {"climb-output"} and the arguments {"model", "data"}.
struct Words {
  std::string verb;
  std::vector<std::string> records, arguments;
};

Words words_of(const std::string& block) {
  const auto from_the_first_page = [&]() -> std::vector<std::string> {
    if (block == "ladder") return {"speedup-micro", "speedup-small-gpu"};
    if (block == "picture") return {"speedup-micro", "speedup-small-gpu", "loss-curves"};
    if (block == "first-build-time") return {"first-build"};
    return {};
  };
  if (block == "tolerances" || block == "speed" || names_items(block)) return {block, {}, {}};
  if (!ladder_of_block(block).empty()) return {"ladder-", {}, {}};
  if (const auto records = from_the_first_page(); !records.empty()) return {block, records, {}};
  for (const char* verb : {"rows ", "excerpt ", "times "}) {
    if (!starts_with(block, verb)) continue;
    const std::string rest = block.substr(std::string_view(verb).size());
    Words words{trimmed(verb), {}, {}};
    if (words.verb != "times") {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      words.records = {trimmed(rest.substr(0, colon))};
      words.arguments = split(colon < rest.size() ? rest.substr(colon + 1) : std::string(), '|');
      return words;
    }
    for (const std::string& part : split(rest, '|')) {
      const std::size_t colon = part.find(':');
      require(colon != std::string::npos, "block '{}': '{}' is not WORDS: RECORD", block, part);
      words.arguments.push_back(trimmed(part.substr(0, colon)));
      words.records.push_back(trimmed(part.substr(colon + 1)));
    }
    return words;
  }
  return {"", split(block, ' '), {}};
}

std::vector<const Record*> records_of(const Words& words, const Records& records, const fs::path& folder) {
  std::vector<const Record*> found;
  for (const std::string& name : words.records) {
    found.push_back(find_record(name, records, folder));
    require(found.back() != nullptr, "there is no record '{}' in {}", name, records_folder(folder).string());
  }
  return found;
}

/// The first record that a block lacks; empty when it lacks none.
std::string missing_record(const std::string& block, const Records& records, const fs::path& folder) {
  if (const std::string ladder = ladder_of_block(block); !ladder.empty())
    return fs::exists(items_path(folder, ladder + "_ladder")) ? "" : block;
  for (const std::string& name : words_of(block).records)
    if (find_record(name, records, folder) == nullptr) return name;
  return {};
}

bool begins_with_one_of(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](const std::string& s) { return starts_with(text, s); });
}

/// In a table of several records, rows that ran a stage's GPU kernels say where.
std::string name_among_several(const RecordRow& row, const Record& record) {
  if (row.sources.find(kGpu) != std::string::npos)
    return row.name + ", " + record.machine.gpu.substr(0, record.machine.gpu.find(" ("));
  const bool modelled = row.name.find("stage 2") == 0 || row.name.find("stage 3") == 0;
  return row.name + (modelled ? ", CPU model" : "");
}

std::string table_of(const std::string& kind, const std::vector<const Record*>& records,
                     const std::vector<std::string>& starts, const fs::path& folder) {
  std::vector<RecordRow> rows;
  std::vector<bool> stale;
  for (const Record* record : records)
    for (const RecordRow& row : record->rows) {
      if (!starts.empty() && !begins_with_one_of(row.name, starts)) continue;
      rows.push_back(row);
      if (records.size() > 1) rows.back().name = name_among_several(row, *record);
      stale.push_back(is_stale(row, folder));
    }
  require(!rows.empty(), "no row of record '{}' begins as its block asks", kind);
  const Cells cells = starts_with(kind, "speedup-")   ? speedup_cells(rows, stale)
                      : starts_with(kind, "parity")   ? parity_cells(rows, stale)
                      : starts_with(kind, "profile-") ? profile_cells(rows, stale)
                      : starts_with(kind, "decode-")  ? decode_cells(rows, stale)
                                                      : resource_cells(rows, stale);
  return markdown_table(cells) + "\n" + caption(records);
}

bool is_table(const std::string& name) {
  return starts_with(name, "speedup-") || starts_with(name, "parity") || starts_with(name, "profile-") ||
         starts_with(name, "decode-") || ends_with(name, kResources);
}

std::vector<std::string> lines_of(const Record& record) {
  std::vector<std::string> lines;
  for (const RecordRow& row : record.rows)
    for (std::string& line : row.values.value("lines", std::vector<std::string>()))
      lines.push_back(std::move(line));
  return lines;
}

std::string output_block(const Record& record, const std::vector<std::string>& lines,
                         const fs::path& folder) {
  std::string text = "```\n$ " + record.command + "\n";
  for (const std::string& line : lines) text += line + "\n";
  const std::vector<bool> stale = staleness(record, folder);
  const bool any = std::find(stale.begin(), stale.end(), true) != stale.end();
  text += "```\n";
  if (const std::size_t all = lines_of(record).size(); lines.size() < all)
    text += fmt::format("\n({} lines of {}.)\n", lines.size(), all);
  return text + (any ? "\n(stale: the program has changed since)\n" : "");
}

/// Runs of blanks as one: the columns of a text are padded.
std::string with_single_blanks(const std::string& text) {
  std::string single;
  for (const char c : text)
    if (c != ' ' || single.empty() || single.back() != ' ') single += c;
  return single;
}

/// Of the record's lines, in order, the next one that begins with each start, however many blanks stand between words; an
/// empty start takes the very next line.
std::vector<std::string> excerpt_of(const Record& record, const std::vector<std::string>& starts) {
  const std::vector<std::string> lines = lines_of(record);
  std::vector<std::string> chosen;
  std::size_t at = 0;
  for (const std::string& start : starts) {
    while (at < lines.size() && !starts_with(with_single_blanks(lines[at]), start)) ++at;
    require(at < lines.size(), "record '{}': no line begins with '{}' behind the one before it", record.name,
            start);
    chosen.push_back(lines[at++]);
  }
  return chosen;
}

std::string render_times(const Words& words, const std::vector<const Record*>& records,
                         const fs::path& folder) {
  Cells cells = {{""}};
  cells[0].insert(cells[0].end(), words.arguments.begin(), words.arguments.end());
  for (const RecordRow& row : records.front()->rows) {
    std::vector<std::string> line = {row.name};
    for (const Record* record : records)
      for (const RecordRow& other : record->rows)
        if (other.name == row.name && other.values.contains("device") && other.values.contains("seconds"))
          line.push_back(format_seconds(other.values.at("seconds").get<double>()) +
                         (is_stale(other, folder) ? " (stale)" : ""));
    if (line.size() == records.size() + 1) cells.push_back(std::move(line));
  }
  require(cells.size() > 1, "no stage has a time on a GPU in all of the records of a block 'times'");
  return markdown_table(cells) + "\n" + caption(records);
}

/// The files that may hold blocks.
std::vector<fs::path> documents(const fs::path& folder) {
  std::vector<fs::path> files;
  const auto add = [&](const fs::path& file) {
    if (fs::is_regular_file(file)) files.push_back(file);
  };
  add(folder / "README.md");
  add(folder / "shared" / "HACKING.md");
  for (const auto& top : fs::directory_iterator(folder)) {
    const std::string name = top.path().filename().string();
    if (!top.is_directory() || (name != "shared" && !starts_with(name, "stage"))) continue;
    add(top.path() / "README.md");
    for (auto at = fs::recursive_directory_iterator(top.path()); at != fs::recursive_directory_iterator();
         ++at) {
      if (at.depth() >= 2) at.disable_recursion_pending();
      if (at->is_directory()) add(at->path() / "README.md");
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string render_block(const std::string& block, const Records& records, const fs::path& folder) {
  const Words words = words_of(block);
  if (block == "tolerances") return markdown_table(tolerance_cells());
  if (block == "speed") return render_speed(folder, evidence_of_configurations());
  if (names_items(block)) return render_items(block, folder);
  if (words.verb == "ladder-") return render_ladder(ladder_of_block(block), folder);
  const std::vector<const Record*> found = records_of(words, records, folder);
  const Record& first = *found.front();
  if (words.verb == "ladder") return render_front_ladder(first, *found[1], folder);
  if (words.verb == "picture") return render_picture({&first, found[1], found[2]});
  if (words.verb == "first-build-time") return render_first_build(first);
  if (words.verb == "excerpt") return output_block(first, excerpt_of(first, words.arguments), folder);
  if (words.verb == "times") return render_times(words, found, folder);
  if (is_table(first.name)) return table_of(first.name, found, words.arguments, folder);
  require(found.size() == 1 && words.verb.empty(), "block '{}': record '{}' is no table", block, first.name);
  return output_block(first, lines_of(first), folder);
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

namespace {

/// Writes `text` if the file does not hold it already.
void renew(const fs::path& path, const fs::path& folder, const std::string& old, const std::string& text,
           bool write, TablesReport& report) {
  if (old == text) return;
  report.changed.push_back(fs::relative(path, folder).generic_string());
  if (write) write_file(path, text);
}

/// The picture, where a page shows it and its records are there.
void renew_picture(const Records& records, const fs::path& folder, bool write, TablesReport& report) {
  const std::vector<const Record*> found = records_of(words_of("picture"), records, folder);
  const fs::path path = folder / kPicture;
  renew(path, folder, fs::exists(path) ? read_file(path) : "",
        front_picture({found[0], found[1], found[2]}, folder), write, report);
}

}  // namespace

TablesReport update_tables(const fs::path& folder, bool write) {
  const Records records = read_records(records_folder(folder));
  TablesReport report;
  bool pictured = false;
  for (const fs::path& path : documents(folder)) {
    const std::string text = read_file(path), name = fs::relative(path, folder).generic_string();
    const std::string updated = replace_blocks(text, name, [&](const std::string& block) -> std::string {
      const std::string missing = missing_record(block, records, folder);
      if (!missing.empty()) {
        report.missing.push_back(fmt::format("{}: block '{}' has no record", name, missing));
        return fmt::format("*Not measured yet: there is no record `{}`.*\n", missing);
      }
      pictured = pictured || block == "picture";
      try {
        return render_block(block, records, folder);
      } catch (const JsonError& error) {
        throw InputError(fmt::format("the record or items of block '{}': {}", block, error.what()));
      }
    });
    renew(path, folder, text, updated, write, report);
  }
  if (pictured) renew_picture(records, folder, write, report);
  for (const Record& record : records)
    for (const RecordRow& row : record.rows)
      if (is_stale(row, folder))
        report.stale.push_back(
            fmt::format("{}: row '{}' timed other sources than these", record.name, row.name));
  return report;
}

}  // namespace ladder
