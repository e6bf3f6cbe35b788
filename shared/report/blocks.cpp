#include "shared/report/blocks.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/records/find_record.hpp"
#include "shared/report/evidence.hpp"
#include "shared/report/front_page.hpp"
#include "shared/report/pytorch_table.hpp"
#include "shared/report/run_picture.hpp"
#include "shared/report/tables.hpp"
#include "shared/spak/item_table.hpp"
#include "shared/spak/ladder_tables.hpp"
#include "shared/spak/speed_table.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

using Records = std::vector<Record>;

constexpr std::string_view kOpen = "<!-- generated: ", kOpenEnd = " -->", kClose = "<!-- /generated -->";

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

/// What a block names: "excerpt climb-output: model | data" the record {"climb-output"} and the arguments
/// {"model", "data"}.
struct Words {
  std::vector<std::string> records, arguments;
  bool may_lack = false;  ///< records that are not there are null, and no fault
};

std::vector<const Record*> records_of(const Words& words, const Records& records, const fs::path& folder) {
  std::vector<const Record*> found;
  for (const std::string& name : words.records) {
    found.push_back(find_record(name, records, folder));
    require(found.back() != nullptr || words.may_lack, "there is no record '{}' in {}", name,
            records_folder(folder).string());
  }
  return found;
}

bool begins_with_one_of(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](const std::string& s) { return text.starts_with(s); });
}

/// A kind of record that is shown as a table: how its name begins and ends, and the table's cells.
struct TableKind {
  std::string_view start, end;
  Cells (*cells)(const std::vector<RecordRow>& rows, const std::vector<bool>& stale);
};

constexpr TableKind kTableKinds[] = {
    {"speedup-", "", speedup_cells}, {"parity", "", parity_cells},      {"pytorch-parity", "", pytorch_cells},
    {"profile-", "", profile_cells}, {"decode-", "", decode_cells},     {"checklist-", "", checklist_cells},
    {"run-", "", run_cells},         {"", "-resources", resource_cells}};

/// nullptr where a record of that name is no table.
const TableKind* table_kind_of(std::string_view name) {
  for (const TableKind& kind : kTableKinds)
    if (name.starts_with(kind.start) && name.ends_with(kind.end)) return &kind;
  return nullptr;
}

std::string table_of(const TableKind& kind, const std::vector<const Record*>& records,
                     const std::vector<std::string>& starts, const fs::path& folder) {
  std::vector<RecordRow> rows;
  std::vector<bool> stale;
  for (const Record* record : records)
    for (const RecordRow& row : record->rows) {
      if (!starts.empty() && !begins_with_one_of(row.name, starts)) continue;
      rows.push_back(row);
      stale.push_back(is_stale(row, folder));
    }
  require(!rows.empty(), "no row of record '{}' begins as its block asks", records.front()->name);
  return markdown_table(kind.cells(rows, stale)) + "\n" + caption(records);
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
  text += "```\n";
  if (const std::size_t all = lines_of(record).size(); lines.size() < all)
    text += fmt::format("\n(An excerpt: {} lines of the {} that the program wrote{}.)\n", lines.size(), all,
                        record.date.empty() ? "" : " on " + record.date.substr(0, 10));
  return text + (any_stale(record, folder) ? "\n(stale: the program has changed since)\n" : "");
}

/// Runs of blanks as one: the columns of a text are padded.
std::string with_single_blanks(const std::string& text) {
  std::string single;
  for (const char c : text)
    if (c != ' ' || single.empty() || single.back() != ' ') single += c;
  return single;
}

/// Of the record's lines, in order, the next one that begins with each start, however many blanks stand between words;
/// an empty start takes the very next line.
std::vector<std::string> excerpt_of(const Record& record, const std::vector<std::string>& starts) {
  const std::vector<std::string> lines = lines_of(record);
  std::vector<std::string> chosen;
  std::size_t at = 0;
  for (const std::string& start : starts) {
    while (at < lines.size() && !with_single_blanks(lines[at]).starts_with(start)) ++at;
    require(at < lines.size(), "record '{}': no line begins with '{}' behind the one before it", record.name,
            start);
    chosen.push_back(lines[at++]);
  }
  return chosen;
}

std::string render_times(const std::vector<std::string>& headings, const std::vector<const Record*>& records,
                         const fs::path& folder) {
  Cells cells = {{""}};
  cells[0].insert(cells[0].end(), headings.begin(), headings.end());
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

// ---- the kinds of blocks ---------------------------------------------------------------------------------------

/// What a block is made from.
struct Asked {
  const std::string& block;
  const std::vector<std::string>& arguments;
  std::vector<const Record*> records;  ///< those of its Words, null only where they may lack
  const fs::path& folder;
};

struct BlockKind {
  std::string_view start;
  bool whole;                                ///< the block is `start` and nothing else
  Words (*words)(const std::string& block);  ///< takes the whole block
  std::string (*render)(const Asked& asked);
};

Words no_records(const std::string&) { return {}; }
Words front_records(const std::string&) { return {{"speedup-micro", "speedup-small-gpu"}, {}}; }
Words picture_records(const std::string&) {
  return {{"speedup-micro", "speedup-small-gpu", "loss-curves"}, {}};
}
Words first_build_record(const std::string&) { return {{"first-build"}, {}}; }
/// "RECORD RECORD ..."
Words all_records(const std::string& block) { return {split(block, ' '), {}}; }

/// "VERB RECORD: ARGUMENT | ARGUMENT ..."
Words one_record(const std::string& block) {
  const std::string rest = block.substr(block.find(' '));
  const std::size_t colon = std::min(rest.find(':'), rest.size());
  return {{trimmed(rest.substr(0, colon))},
          split(colon < rest.size() ? rest.substr(colon + 1) : std::string(), '|')};
}

/// "VERB WORDS: RECORD | WORDS: RECORD ..."
Words labelled_records(const std::string& block) {
  Words words;
  for (const std::string& part : split(block.substr(block.find(' ')), '|')) {
    const std::size_t colon = part.find(':');
    require(colon != std::string::npos, "block '{}': '{}' is not WORDS: RECORD", block, part);
    words.arguments.push_back(trimmed(part.substr(0, colon)));
    words.records.push_back(trimmed(part.substr(colon + 1)));
  }
  return words;
}

/// "if run RECORD RECORD ...": the records' names are the arguments too, to say which are not there.
Words records_if_run(const std::string& block) {
  const std::vector<std::string> names = split(block.substr(std::string_view("if run ").size()), ' ');
  return {names, names, true};
}

/// The rows that the block asks for, of one or several records.
std::string render_rows(const Asked& asked) {
  const Record& first = *asked.records.front();
  const TableKind* kind = table_kind_of(first.name);
  require(kind != nullptr, "block '{}': record '{}' is no table", asked.block, first.name);
  return table_of(*kind, asked.records, asked.arguments, asked.folder);
}

/// The table of the records, or the lines of the one.
std::string render_records(const Asked& asked) {
  const Record& first = *asked.records.front();
  if (table_kind_of(first.name) != nullptr || asked.records.size() > 1) return render_rows(asked);
  return output_block(first, lines_of(first), asked.folder);
}

/// One table of the records that are there, and the names of those that are not.
std::string render_if_run(const Asked& asked) {
  std::vector<const Record*> there;
  std::string absent;
  for (std::size_t i = 0; i < asked.records.size(); ++i)
    if (asked.records[i] != nullptr)
      there.push_back(asked.records[i]);
    else
      absent += fmt::format("\n*Not run: there is no record `{}`.*\n", asked.arguments[i]);
  if (there.empty()) return absent.substr(1);
  const TableKind* kind = table_kind_of(there.front()->name);
  require(kind != nullptr, "block '{}': record '{}' is no table", asked.block, there.front()->name);
  return table_of(*kind, there, {}, asked.folder) + absent;
}

/// A text of the first row of a training run that has so many. Its fence is longer than one in the text can be.
std::string render_sample(const Asked& asked) {
  const Record& record = *asked.records[0];
  std::size_t number = 1;
  if (const std::string& words = asked.arguments[0]; !words.empty()) {
    const auto [end, problem] = std::from_chars(words.data(), words.data() + words.size(), number);
    require(problem == std::errc() && end == words.data() + words.size() && number > 0,
            "block '{}': '{}' is no number of a sample", asked.block, words);
  }
  for (const RecordRow& row : record.rows)
    if (const Json* samples = row.values.find("samples"); samples != nullptr && samples->size() >= number)
      return "````\n" + samples->at(number - 1).get<std::string>() + "\n````\n";
  throw InputError(fmt::format("record '{}' has no sample {}", record.name, number));
}

constexpr std::string_view kPictureBlock = "picture", kCurvesBlock = "curves ";

std::string render_curves(const Asked& asked) {
  const fs::path picture = asked.arguments[0];
  require(picture.extension() == ".svg" && picture.is_relative() &&
              asked.arguments[0].find("..") == std::string::npos,
          "block '{}': behind a colon, name the picture below the page's folder", asked.block);
  return fmt::format("![Losses: {}]({})\n", asked.records[0]->work, asked.arguments[0]);
}

/// The first that fits counts; the last fits every block.
constexpr BlockKind kBlockKinds[] = {
    {"tolerances", true, no_records, [](const Asked&) { return markdown_table(tolerance_cells()); }},
    {"speed", true, no_records,
     [](const Asked& a) { return render_speed(a.folder, evidence_of_configurations()); }},
    {kItemsBlock, false, no_records, [](const Asked& a) { return render_items(a.block, a.folder); }},
    {kLadderBlock, false, no_records,
     [](const Asked& a) { return render_ladder(ladder_of_block(a.block), a.folder); }},
    {"ladder", true, front_records,
     [](const Asked& a) { return render_front_ladder(*a.records[0], *a.records[1], a.folder); }},
    {kPictureBlock, true, picture_records,
     [](const Asked& a) {
       return render_picture({a.records[0], a.records[1], a.records[2]});
     }},
    {"first-build-time", true, first_build_record,
     [](const Asked& a) { return render_first_build(*a.records[0]); }},
    {"rows ", false, one_record, render_rows},
    {"if run ", false, records_if_run, render_if_run},
    {"excerpt ", false, one_record,
     [](const Asked& a) {
       return output_block(*a.records[0], excerpt_of(*a.records[0], a.arguments), a.folder);
     }},
    {kCurvesBlock, false, one_record, render_curves},
    {"sample ", false, one_record, render_sample},
    {"times ", false, labelled_records,
     [](const Asked& a) { return render_times(a.arguments, a.records, a.folder); }},
    {"", false, all_records, render_records}};

const BlockKind& kind_of(const std::string& block) {
  return *std::find_if(std::begin(kBlockKinds), std::end(kBlockKinds), [&](const BlockKind& kind) {
    return kind.whole ? block == kind.start : block.starts_with(kind.start);
  });
}

/// The first record that a block lacks; empty when it lacks none.
std::string missing_record(const std::string& block, const Records& records, const fs::path& folder) {
  if (const std::string ladder = ladder_of_block(block); !ladder.empty())
    return fs::exists(items_path(folder, ladder + "_ladder")) ? "" : block;
  const Words words = kind_of(block).words(block);
  if (words.may_lack) return {};
  for (const std::string& name : words.records)
    if (find_record(name, records, folder) == nullptr) return name;
  return {};
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
    if (!top.is_directory() || (name != "shared" && !name.starts_with("stage"))) continue;
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
  const BlockKind& kind = kind_of(block);
  const Words words = kind.words(block);
  return kind.render({block, words.arguments, records_of(words, records, folder), folder});
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

/// Files that differ from what the records give, and that: written only when all of them are known.
struct Renewal {
  const fs::path& folder;
  TablesReport& report;
  std::vector<std::pair<fs::path, std::string>> files = {};

  void renew(const fs::path& path, const std::string& old, const std::string& text) {
    if (old == text) return;
    report.changed.push_back(fs::relative(path, folder).generic_string());
    files.emplace_back(path, text);
  }
  void renew(const fs::path& path, const std::string& text) {
    renew(path, fs::exists(path) ? read_file(path) : "", text);
  }
};

/// The picture, where a page shows it and its records are there.
void renew_picture(const Records& records, Renewal& renewal) {
  const std::vector<const Record*> found = records_of(picture_records({}), records, renewal.folder);
  renewal.renew(renewal.folder / kPicture, front_picture({found[0], found[1], found[2]}, renewal.folder));
}

/// The picture of a block "curves RECORD: FILE" of a page, beside the page.
void renew_curves(const std::string& block, const fs::path& page, const Records& records, Renewal& renewal) {
  const Words words = one_record(block);
  const Record& record = *records_of(words, records, renewal.folder)[0];
  renewal.renew(page.parent_path() / words.arguments.at(0), run_picture(record));
}

}  // namespace

TablesReport update_tables(const fs::path& folder, bool write) {
  const Records records = read_records(records_folder(folder));
  TablesReport report;
  Renewal renewal{folder, report};
  bool pictured = false;
  for (const fs::path& path : documents(folder)) {
    const std::string text = read_file(path), name = fs::relative(path, folder).generic_string();
    const std::string updated = replace_blocks(text, name, [&](const std::string& block) -> std::string {
      const std::string missing = missing_record(block, records, folder);
      if (!missing.empty()) {
        report.missing.push_back(fmt::format("{}: block '{}' has no record", name, missing));
        return fmt::format("*Not measured yet: there is no record `{}`.*\n", missing);
      }
      pictured = pictured || block == kPictureBlock;
      try {
        std::string rendered = render_block(block, records, folder);
        if (block.starts_with(kCurvesBlock)) renew_curves(block, path, records, renewal);
        return rendered;
      } catch (const JsonError& error) {
        throw InputError(
            fmt::format("{}: the records or items of block '{}': {}", name, shown(block), error.what()));
      }
    });
    renewal.renew(path, text, updated);
  }
  if (pictured) naming_json(kPicture, "its records", [&] { renew_picture(records, renewal); });
  for (const auto& [path, text] : renewal.files)
    if (write) write_file(path, text);
  for (const Record& record : records)
    for (const RecordRow& row : record.rows)
      if (is_stale(row, folder))
        report.stale.push_back(
            fmt::format("{}: row '{}' timed other sources than these", record.name, row.name));
  return report;
}

}  // namespace ladder
