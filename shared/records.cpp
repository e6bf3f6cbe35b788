#include "shared/records.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "shared/error.hpp"
#include "shared/files.hpp"
#include "shared/hash.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "ladder-record/1";

bool is_code(const fs::path& path) {
  static const std::set<std::string> suffixes = {".cpp", ".hpp", ".cu", ".cuh", ".py", ".txt"};
  return suffixes.count(path.extension().string()) > 0 && path.filename() != "README.txt";
}

/// The files of one entry of a set, as paths from `folder`.
std::vector<std::string> files_of(const fs::path& folder, const std::string& entry) {
  std::vector<std::string> files;
  if (fs::is_directory(folder / entry)) {
    for (const auto& item : fs::recursive_directory_iterator(folder / entry))
      if (item.is_regular_file() && is_code(item.path()))
        files.push_back(fs::relative(item.path(), folder).generic_string());
  } else {
    for (const char* suffix : {"", ".hpp", ".cpp"})
      if (fs::is_regular_file(folder / (entry + suffix))) files.push_back(entry + suffix);
  }
  require(!files.empty(),
          "{}: no such source file or folder: hashes need the folder that the program was built from",
          (folder / entry).string());
  std::sort(files.begin(), files.end());
  return files;
}

bool is_cpp(const fs::path& path) {
  static const std::set<std::string> suffixes = {".cpp", ".hpp", ".cu", ".cuh"};
  return suffixes.count(path.extension().string()) > 0;
}

/// Where the comment or literal that begins at `at` ends; `at` when neither begins there. Raw strings
/// of several lines are not understood; no source set has one.
std::size_t end_of_token(const std::string& text, std::size_t at) {
  const auto behind = [&](const char* end, std::size_t from) {
    const std::size_t found = text.find(end, from);
    return found == std::string::npos ? text.size() : found + std::char_traits<char>::length(end);
  };
  if (text.compare(at, 2, "//") == 0) return std::min(text.find('\n', at), text.size());
  if (text.compare(at, 2, "/*") == 0) return behind("*/", at + 2);
  if (text[at] != '"' && text[at] != '\'') return at;
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != text[at] && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

/// C++ without comments, every stretch of white space one blank: where a line ends is not told from a blank, not even of a
/// directive.
std::string code_of(const std::string& text) {
  std::string code;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_token(text, at);
    const bool comment = end > at && text[at] == '/';
    if (comment || std::isspace(static_cast<unsigned char>(text[at])) != 0) {
      if (!code.empty() && code.back() != ' ') code += ' ';
      at = std::max(end, at + 1);
    } else {
      const std::size_t next = std::max(end, at + 1);
      code.append(text, at, next - at);
      at = next;
    }
  }
  return code;
}

template <class T>
T member(const Json& json, const char* key, const std::string& source) {
  try {
    return json.at(key).get<T>();
  } catch (const JsonError&) {
    throw InputError(fmt::format("{}: '{}' is missing or has the wrong type", source, key));
  }
}

RecordRow row_from(const Json& json, const std::string& source) {
  RecordRow row{member<std::string>(json, "name", source), member<std::string>(json, "sources", source),
                member<std::string>(json, "hash", source), member<Json>(json, "values", source)};
  require(row.values.is_object(), "{}: 'values' of row '{}' is not an object", source, row.name);
  return row;
}

}  // namespace

Record new_record(std::string name, std::string command, std::string work) {
  return {std::move(name), std::move(command), std::move(work), utc_now(), this_machine(), this_build(), {}};
}

std::vector<std::string> source_set(const std::string& name) {
  if (const std::size_t plus = name.find('+'); plus != std::string::npos) {
    std::vector<std::string> entries = source_set(name.substr(0, plus));
    for (std::string& entry : source_set(name.substr(plus + 1)))
      if (std::find(entries.begin(), entries.end(), entry) == entries.end())
        entries.push_back(std::move(entry));
    return entries;
  }
  std::vector<std::string> entries;
  if (name == "interpreter") return {"shared/baseline/microgpt.py"};
  if (name == "stage0") return {"stage0_scalar_autograd"};
  if (name == "stage3-kernels")
    return {"stage3_tiled_kernels/kernels", "stage3_tiled_kernels/configs",
            "stage3_tiled_kernels/configs.hpp", "stage3_tiled_kernels/one_launch"};
  if (name == "stage1") entries = {"stage1_cpu_tensor"};
  if (name == "stage2") entries = {"stage2_naive_cuda", "shared/simt"};
  if (name == "stage3") entries = {"stage3_tiled_kernels", "shared/simt", "shared/tile"};
  require(!entries.empty(),
          "unknown source set '{}': valid are interpreter, stage0, stage1, stage2, stage3, stage3-kernels",
          name);
  for (const char* model : {"shared/activation_plan", "shared/batch", "shared/dtype_convert",
                            "shared/microgpt", "shared/ops", "shared/ops_engine"})
    entries.emplace_back(model);
  return entries;
}

std::string source_hash(const std::string& set, const fs::path& folder) {
  Hash64 hash;
  for (const std::string& entry : source_set(set))
    for (const std::string& file : files_of(folder, entry)) {
      const std::string bytes = is_cpp(file) ? code_of(read_file(folder / file)) : read_file(folder / file);
      hash.add(file);
      hash.add(bytes.size());
      hash.add(bytes);
    }
  return hex64(hash.value());
}

bool is_stale(const RecordRow& row, const fs::path& folder) {
  return !row.sources.empty() && source_hash(row.sources, folder) != row.hash;
}

fs::path records_folder(const fs::path& folder) { return folder / "tests" / "bench" / "results"; }

void write_record(const fs::path& path, const Record& record) {
  Json json = {{"format", kFormat},
               {"name", record.name},
               {"command", record.command},
               {"work", record.work},
               {"date", record.date},
               {"machine", to_json(record.machine)},
               {"build", to_json(record.build)}};
  json["rows"] = Json::array();
  for (const RecordRow& row : record.rows)
    json["rows"].push_back(
        {{"name", row.name}, {"sources", row.sources}, {"hash", row.hash}, {"values", row.values}});
  write_file(path, json.dump(1) + "\n");
}

Record read_record(const fs::path& path) {
  const std::string source = path.string();
  const Json json = Json::try_parse(read_file(path));
  require(json.is_object() && json.value("format", "") == kFormat, "{}: is not a {} file", source, kFormat);
  Record record;
  record.name = member<std::string>(json, "name", source);
  record.command = member<std::string>(json, "command", source);
  record.work = member<std::string>(json, "work", source);
  record.date = member<std::string>(json, "date", source);
  try {
    record.machine = machine_from(member<Json>(json, "machine", source));
    record.build = build_from(member<Json>(json, "build", source));
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", source, error.what()));
  }
  for (const Json& row : member<Json>(json, "rows", source)) record.rows.push_back(row_from(row, source));
  return record;
}

std::vector<Record> read_records(const fs::path& folder) {
  require(fs::is_directory(folder), "{}: is not a folder of run records", folder.string());
  std::vector<fs::path> paths;
  for (const auto& item : fs::directory_iterator(folder))
    if (item.path().extension() == ".json") paths.push_back(item.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Record> records;
  for (const fs::path& path : paths) {
    records.push_back(read_record(path));
    require(records.back().name == path.stem().string(), "{}: holds the record '{}'", path.string(),
            records.back().name);
  }
  return records;
}

}  // namespace ladder
