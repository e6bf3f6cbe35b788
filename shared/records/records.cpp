#include "shared/records/records.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/lines.hpp"
#include "shared/base/shown.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "ladder-record/1";

bool is_code(const fs::path& path) {
  static const std::set<std::string> suffixes = {".cpp", ".hpp", ".cu", ".cuh", ".py"};
  return suffixes.count(path.extension().string()) > 0;
}

/// The files of one entry of a set ("!" left out), as paths from `folder`.
std::vector<std::string> files_of_entry(const fs::path& folder, const std::string& entry) {
  std::vector<std::string> files;
  if (fs::is_directory(folder / entry)) {
    for (const auto& item : fs::recursive_directory_iterator(folder / entry))
      if (item.is_regular_file() && is_code(item.path()))
        files.push_back(fs::relative(item.path(), folder).generic_string());
  } else {
    for (const char* suffix : {"", ".hpp", ".cpp"})
      if (fs::is_regular_file(folder / (entry + suffix))) files.push_back(entry + suffix);
  }
  return files;
}

/// The same, or an error when there is none.
std::vector<std::string> files_that_count(const fs::path& folder, const std::string& entry) {
  std::vector<std::string> files = files_of_entry(folder, entry);
  require(!files.empty(),
          "{}: no such source file or folder: hashes need the folder that the program was built from, with "
          "every place that its source sets name",
          (folder / entry).string());
  return files;
}

/// The files of a whole set, each once.
std::set<std::string> files_of(const fs::path& folder, const std::string& set) {
  std::set<std::string> files, left_out;
  for (const std::string& entry : source_set(set)) {
    const bool out = entry.front() == '!';
    for (std::string& file : files_that_count(folder, out ? entry.substr(1) : entry))
      (out ? left_out : files).insert(std::move(file));
  }
  for (const std::string& file : left_out) files.erase(file);
  return files;
}

/// Of a build file, the lines that choose compiler options: the rest names paths, which no hash holds.
std::string options_of(const std::string& text) {
  std::string options;
  for (const std::string& line : lines_of(text))
    if (line.find("compile_options") != std::string::npos ||
        line.find("COMPILE_OPTIONS") != std::string::npos)
      options += line + "\n";
  return options;
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

/// Whether an `#include` directive begins at the '#' at `at`, the first thing on its line.
bool begins_include(const std::string& text, std::size_t at) {
  if (text[at] != '#') return false;
  const std::size_t before = text.find_last_not_of(" \t", at == 0 ? std::string::npos : at - 1);
  if (at != 0 && before != std::string::npos && text[before] != '\n') return false;
  const std::size_t word = text.find_first_not_of(" \t", at + 1);
  return word != std::string::npos && text.compare(word, 7, "include") == 0;
}

/// C++ without comments and includes, every stretch of white space one blank: where a line ends is not told from a
/// blank, not even of a directive.
std::string code_of(const std::string& text) {
  std::string code;
  for (std::size_t at = 0; at < text.size();) {
    if (begins_include(text, at)) {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
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

/// What the sets of stages 1 to 3 add to the model text; empty for other names. Of a stage's folder, the kernel
/// ladders, the sweep and the pictures are no part of the stage that trains.
std::vector<std::string> stage_entries(const std::string& name) {
  const std::vector<std::string> stage2 = {"stage2_naive_cuda", "!stage2_naive_cuda/make_ops.cpp",
                                           "!stage2_naive_cuda/ops_cuda.hpp"};
  const std::vector<std::string> stage3 = {"stage3_tiled_kernels",
                                           "!stage3_tiled_kernels/make_ops.cpp",
                                           "!stage3_tiled_kernels/ops_tile.hpp",
                                           "!stage3_tiled_kernels/ladder",
                                           "!stage3_tiled_kernels/pictures",
                                           "!stage3_tiled_kernels/sweep"};
  const std::vector<std::string> on_gpu = {"shared/device/cuda_runtime", "shared/device/device_ops_on",
                                           "shared/device/hints", "shared/simt/launch",
                                           "shared/device/stream"};
  const std::vector<std::string> on_cpu = {"shared/device/cpu_runtime", "shared/device/memory_watch",
                                           "shared/device/worker_pool", "shared/simt/thread_model"};
  const std::vector<std::string> gpt2 = {"shared/model/gpt2", "shared/model/gpt2_ops",
                                         "shared/model/dropout"};
  // Without the scripts beside the kernels, which only call the program.
  const std::vector<std::string> stage4 = {"stage4_nanogpt",
                                           "!stage4_nanogpt/make_ops.cpp",
                                           "!stage4_nanogpt/ops_nano.hpp",
                                           "!stage4_nanogpt/lessons.py",
                                           "!stage4_nanogpt/export_nanogpt.py",
                                           "!stage4_nanogpt/kernels/erf_coefficients.py"};
  const auto joined = [](std::vector<std::string> first, const std::vector<std::string>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  };
  // Options that decide a stage's speed on the CPU are its own and its model's.
  if (name == "stage1")
    return {"stage1_cpu_tensor", "stage1_cpu_tensor/CMakeLists.txt", "shared/device/worker_pool"};
  if (name == "stage2") return joined(joined(stage2, on_gpu), on_cpu);
  if (name == "stage3")
    return joined(joined(joined(stage3, on_gpu), on_cpu),
                  {"shared/tile", "!shared/tile/pictures", "shared/tile/CMakeLists.txt",
                   "stage3_tiled_kernels/CMakeLists.txt"});
  if (name == "stage4")
    return joined(joined(joined(source_set("stage3"), gpt2), stage4), {"stage4_nanogpt/CMakeLists.txt"});
  if (name == "stage4-gpu") return joined(joined(source_set("stage3-gpu"), gpt2), stage4);
  if (name == "stage2-gpu") return joined(joined(stage2, on_gpu), {"!stage2_naive_cuda/ops_simt.cpp"});
  if (name == "stage3-gpu") return joined(joined(stage3, on_gpu), {"shared/tile/grid", "shared/tile/launch"});
  return {};
}

/// How far two stages are apart at one level, in a row of a parity.
void require_level(const Json& level, const std::string& source) {
  member_or(level, "error", 0.0, source);
  member_or(level, "limit", 0.0, source);
  member_or(level, "passed", false, source);
}

/// A kernel's row in the compiler's report.
void require_kernel(const Json& kernel, const std::string& source) {
  require(kernel.is_object(), "{}: is not an object", source);
  for (const char* name : {"kernel", "arguments"}) member_of<std::string>(kernel, name, source);
  for (const char* name : {"registers", "spilled_bytes", "threads", "resident_blocks"})
    member_of<int>(kernel, name, source);
  member_of<double>(kernel, "shared_bytes", source);
}

/// The lists and objects among a row's values. Of two names other kinds of records make something else.
void require_parts(const Json& values, const std::string& source) {
  for (const char* name : {"kernel", "block", "model", "loss"}) {
    const Json* part = values.find(name);
    if (part == nullptr) continue;
    const std::string place = fmt::format("{}: '{}'", source, name);
    const bool is_loss = std::string_view(name) == "loss", is_model = std::string_view(name) == "model";
    if (is_loss && part->is_array())
      naming_json(source, "'loss'", [&] { doubles_of(*part); });
    else if (!is_model || !part->is_string())
      require(part->is_object(), "{} is not an object", place), require_level(*part, place);
  }
  const auto list = [&](const char* name) {
    const Json* found = values.find(name);
    require(found == nullptr || found->is_array(), "{}: '{}' is not a list", source, name);
    return found == nullptr ? Json::array() : *found;
  };
  for (const Json& one : list("evaluations"))
    require(one.is_array() && one.size() == 3, "{}: 'evaluations': one has not three numbers", source);
  for (const Json& kernel : list("kernels")) require_kernel(kernel, source + ": 'kernels'");
}

/// What tables and pictures read of a row, where it has it, is what its name says: a damaged or foreign file must neither
/// draw a nonsense nor end in the middle of a table.
void require_values(const Json& values, const std::string& source) {
  constexpr double kLongest = 1e9;  // seconds: no measurement takes thirty years
  for (const char* name : {"seconds", "q1", "q3", "min"}) {
    const double seconds = member_or(values, name, 0.0, source);
    require(seconds >= 0.0 && seconds <= kLongest, "{}: '{}' is {}: valid are 0 to {} seconds", source, name,
            seconds, kLongest);
  }
  for (const char* name : {"parity_error", "parity_limit", "steady_steps", "times_below", "times_interpreter",
                           "times_pytorch", "steps_each"})
    member_or(values, name, 0.0, source);
  for (const char* name : {"emulated", "proven", "run_on_hardware"}) member_or(values, name, false, source);
  for (const char* name :
       {"not_run", "parity_note", "device", "dtype", "variant", "outcome", "summary", "bound"})
    member_or<std::string>(values, name, {}, source);
  member_or<std::vector<std::string>>(values, "lines", {}, source);
  require_parts(values, source);
}

RecordRow row_from(const Json& json, const std::string& file, std::size_t index) {
  const std::string source = fmt::format("{}: row {}", file, index + 1);
  require(json.is_object(), "{} is not an object", source);
  RecordRow row{member_of<std::string>(json, "name", source), member_of<std::string>(json, "sources", source),
                member_of<std::string>(json, "hash", source), member_of<Json>(json, "values", source)};
  require(row.values.is_object(), "{}: 'values' is not an object", source);
  require_values(row.values, fmt::format("{} ('{}')", source, shown(row.name)));
  return row;
}

}  // namespace

Record new_record(std::string name, std::string command, std::string work, Device device) {
  return {std::move(name),
          std::move(command),
          std::move(work),
          utc_now(),
          this_machine(device),
          this_build(),
          {}};
}

std::vector<std::string> source_set(const std::string& name) {
  if (const std::size_t plus = name.find('+'); plus != std::string::npos) {
    std::vector<std::string> entries = source_set(name.substr(0, plus));
    for (std::string& entry : source_set(name.substr(plus + 1)))
      if (std::find(entries.begin(), entries.end(), entry) == entries.end())
        entries.push_back(std::move(entry));
    return entries;
  }
  if (name == "interpreter") return {"shared/baseline/microgpt.py"};
  if (name == "stage0") return {"stage0_scalar_autograd"};
  if (name == "stage3-kernels")
    return {"stage3_tiled_kernels/kernels",
            "stage3_tiled_kernels/configs",
            "stage3_tiled_kernels/configs.hpp",
            "stage3_tiled_kernels/one_launch",
            "stage3_tiled_kernels/launch_attention.cu",
            "stage3_tiled_kernels/launch_linear.cu",
            "stage3_tiled_kernels/launch_rows.cu"};
  std::vector<std::string> entries = stage_entries(name);
  require(!entries.empty(),
          "unknown source set '{}': valid are interpreter, stage0, stage1, stage2, stage3, stage2-gpu, "
          "stage3-gpu, "
          "stage3-kernels, stage4, stage4-gpu",
          shown(name, 40));
  for (const char* model :
       {"shared/base/dtype", "shared/base/dtype_convert", "shared/base/tensor", "shared/device/communicator",
        "shared/model/activation_plan", "shared/model/batch", "shared/model/microgpt",
        "shared/model/microgpt_ops", "shared/model/model", "shared/model/ref", "shared/model/operation_list",
        "shared/model/ops", "shared/model/optimizer", "shared/train/ops_engine"})
    entries.emplace_back(model);
  return entries;
}

std::string source_set_of(int stage, bool on_gpu) {
  return fmt::format("stage{}{}", stage, on_gpu && stage >= 2 ? "-gpu" : "");
}

std::string source_hash(const std::string& set, const fs::path& folder) {
  std::vector<std::string> contents;
  for (const std::string& file : files_of(folder, set)) {
    std::string bytes = read_file(folder / file);
    contents.push_back(is_cpp(file)                           ? code_of(bytes)
                       : fs::path(file).extension() == ".txt" ? options_of(bytes)
                                                              : std::move(bytes));
  }
  std::sort(contents.begin(), contents.end());
  Hash64 hash;
  for (const std::string& bytes : contents) {
    hash.add(bytes.size());
    hash.add(bytes);
  }
  return hex64(hash.value());
}

bool is_stale(const RecordRow& row, const fs::path& folder) {
  return !row.sources.empty() && source_hash(row.sources, folder) != row.hash;
}

fs::path records_folder(const fs::path& folder) { return folder / "tests" / "bench" / "results"; }

std::filesystem::path record_file(const std::string& name) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  require(!name.empty() && name.front() != '.' && std::ranges::all_of(name, is_plain),
          "'{}' is no name for a record: letters, digits, '-', '_' and '.', a dot not in front", name);
  return records_folder() / (name + ".json");
}

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
  const Json json = json_object(read_file(path), source);
  require(member_or<std::string>(json, "format", "", source) == kFormat, "{}: is not a {} file", source,
          kFormat);
  Record record;
  record.name = member_of<std::string>(json, "name", source);
  record.command = member_of<std::string>(json, "command", source);
  record.work = member_of<std::string>(json, "work", source);
  record.date = member_of<std::string>(json, "date", source);
  record.machine = machine_from(member_of<Json>(json, "machine", source), source + ": 'machine'");
  record.build = build_from(member_of<Json>(json, "build", source), source + ": 'build'");
  const Json rows = member_of<Json>(json, "rows", source);
  require(rows.is_array(), "{}: 'rows' is not a list", source);
  for (const Json& row : rows) record.rows.push_back(row_from(row, source, record.rows.size()));
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
            shown(records.back().name));
    naming_source(path.string(), [&] {
      for (const RecordRow& row : records.back().rows)
        if (!row.sources.empty()) source_set(row.sources);
    });
  }
  return records;
}

}  // namespace ladder
