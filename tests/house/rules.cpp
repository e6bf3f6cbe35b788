#include "tests/house/rules.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <regex>
#include <set>

#include "shared/base/lines.hpp"

namespace ladder::house {
namespace {

/// The words that a rule looks for are put together here, so that this file does not break the rule itself.
std::string joined(const char* first, const char* second) { return std::string(first) + second; }

bool matches(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex(pattern));
}

bool is_source(const File& file) {
  return matches(file.path, R"((\.(hpp|cpp|cuh|cu|py|sh|cmake)|(^|/)CMakeLists\.txt|^ladder|^\.ci/run)$)");
}
bool is_cxx(const File& file) { return matches(file.path, R"(\.(hpp|cpp|cuh|cu)$)"); }

std::string place(const File& file, std::size_t line) { return file.path + ":" + std::to_string(line + 1); }

const File* find(const Files& files, const std::string& path) {
  const auto at =
      std::find_if(files.begin(), files.end(), [&](const File& file) { return file.path == path; });
  return at == files.end() ? nullptr : &*at;
}

/// Every line of the chosen files that the pattern matches.
Faults matching_lines(const Files& files, const std::function<bool(const File&)>& chosen,
                      const std::string& pattern, const std::string& what) {
  const std::regex expression(pattern);
  Faults faults;
  for (const File& file : files) {
    if (!chosen(file)) continue;
    const auto lines = lines_of(file.text);
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (std::regex_search(lines[i], expression))
        faults.push_back(place(file, i) + ": " + what + ": " + lines[i]);
  }
  return faults;
}

constexpr std::array<const char*, 7> kFields = {
    "Computes", "Shapes", "Map", "Traffic", "FLOPs", "Bound", "Differs from the previous rung"};

/// The lines of the comment that ends directly above `line`, template (of several lines, too) and attribute
/// lines between them passed over.
std::vector<std::string> comment_above(const std::vector<std::string>& lines, std::size_t line) {
  std::vector<std::string> comment;
  while (line > 0 && matches(lines[line - 1], R"(^\s*(template|requires|class|\[\[))")) --line;
  while (line > 0 && matches(lines[line - 1], R"(^\s*//)")) comment.insert(comment.begin(), lines[--line]);
  return comment;
}

/// The fields that the comment lacks or has out of order, joined by commas.
std::string missing_fields(const std::vector<std::string>& comment) {
  std::string missing;
  std::size_t line = 0;
  for (const char* field : kFields) {
    const std::regex start(std::string(R"(^\s*///?\s*)") + field + R"(:\s*\S)");
    std::size_t at = line;
    while (at < comment.size() && !std::regex_search(comment[at], start)) ++at;
    if (at == comment.size())
      missing += (missing.empty() ? "" : ", ") + std::string(field);
    else
      line = at + 1;
  }
  return missing;
}

}  // namespace

Faults top_level_faults(const Files& files) {
  const std::regex allowed(
      R"(\.[A-Za-z.-]+|CMakeLists\.txt|CMakePresets\.json|README\.md|CONTRIBUTING\.md|LICENSE|ladder|)"
      R"(requirements[a-z-]*\.txt|stage0_scalar_autograd|stage1_cpu_tensor|stage2_naive_cuda|)"
      R"(stage3_tiled_kernels|stage4_nanogpt|shared|tests|notebooks)");
  std::set<std::string> entries;
  for (const File& file : files) entries.insert(file.path.substr(0, file.path.find('/')));
  Faults faults;
  for (const std::string& entry : entries)
    if (!std::regex_match(entry, allowed)) faults.push_back(entry + ": not an agreed top-level entry");
  return faults;
}

Faults length_faults(const Files& files) {
  constexpr std::ptrdiff_t limit = 450;
  Faults faults;
  for (const File& file : files) {
    const auto count = std::count(file.text.begin(), file.text.end(), '\n');
    if (is_source(file) && count > limit && file.path.find("generated") == std::string::npos)
      faults.push_back(file.path + ": " + std::to_string(count) + " lines; " + std::to_string(limit) +
                       " is the limit");
  }
  return faults;
}

Faults kernel_header_faults(const Files& files) {
  Faults faults;
  for (const File& file : files) {
    if (!matches(file.path, R"(^stage[0-9]_\w+/(kernels|ladder)/.*\.cuh$)")) continue;
    const auto lines = lines_of(file.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!matches(lines[i], R"(^\s*(\[\[.*\]\]\s*)?__(tile_)?global__\b)")) continue;
      const std::string missing = missing_fields(comment_above(lines, i));
      if (!missing.empty())
        faults.push_back(place(file, i) + ": the kernel's header lacks, or has out of order: " + missing);
    }
  }
  return faults;
}

Faults unfinished_faults(const Files& files) {
  const std::string words = joined("TO", "DO") + "|" + joined("FIX", "ME") + "|" + joined("XX", "X") + "|" +
                            joined("HA", "CK") + "|" + joined("not imple", "mented") + "|" +
                            joined("place", "holder") + "|" + joined("st", "ub");
  return matching_lines(files, is_source, "\\b(" + words + ")\\b", "unfinished work");
}

namespace {

/// Mentions of the folder of that name beside the checkout. A Markdown link counts from its file's folder, so one with
/// no more steps up than folders above it stays inside; everything else runs in the root.
Faults outside_faults(const File& file) {
  static const std::regex outside(R"((([.][.]/)+)shared/(data|golden|design|bench|cases)([^.\w]|$))");
  const bool link = matches(file.path, R"(\.md$)");
  const auto depth = link ? std::count(file.path.begin(), file.path.end(), '/') : 0;
  Faults faults;
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (auto at = std::sregex_iterator(lines[i].begin(), lines[i].end(), outside);
         at != std::sregex_iterator(); ++at)
      if ((*at)[1].length() / 3 > depth)
        faults.push_back(place(file, i) + ": outside the checkout; only .ci/ may look there: " + lines[i]);
  return faults;
}

}  // namespace

Faults machine_path_faults(const Files& files) {
  const auto any = [](const File&) { return true; };
  Faults faults = matching_lines(
      files, any, joined("/(wo", "rk|root|farm|home/[a-z]+)/") + "|[.]" + joined("lib", "rary"),
      "a path of somebody's machine");
  for (const File& file : files) {
    if (file.path.rfind(".ci/", 0) == 0) continue;
    const Faults outside = outside_faults(file);
    faults.insert(faults.end(), outside.begin(), outside.end());
  }
  return faults;
}

namespace {

/// Patterns of the files that the figures of a generated block come from, one for each that it needs
/// (shared/report/blocks.hpp says how a block is written). A record "X-gpu" is one of any card.
std::vector<std::string> sources_of_block(const std::string& name) {
  const std::string knowledge = "stage3_tiled_kernels/knowledge/", kept = knowledge + "items/";
  const auto of_records = [](const std::string& text) {
    std::vector<std::string> patterns;
    const std::regex record(R"([a-z0-9-]+)");
    for (auto at = std::sregex_iterator(text.begin(), text.end(), record); at != std::sregex_iterator(); ++at)
      patterns.push_back("tests/bench/results/" +
                         std::regex_replace(at->str(), std::regex("-gpu$"), "-[a-z0-9]+") + "[.]json");
    return patterns;
  };
  std::smatch match;
  if (name == "tolerances") return {};
  if (name.starts_with("if run ")) return {};  // says itself which of its records are not there
  if (name == "speed") return {knowledge + "targets.json"};
  if (name == "ladder") return of_records("speedup-micro speedup-small-gpu");
  if (name == "picture") return of_records("speedup-micro speedup-small-gpu loss-curves");
  if (name == "first-build-time") return of_records("first-build");
  if (std::regex_match(name, match, std::regex("ladder-(.+)")))
    return {kept + match[1].str() + "_ladder.jsonl"};
  if (std::regex_match(name, match, std::regex("items ([^ ]+) .*")))
    return {kept + match[1].str() + ".jsonl"};
  if (std::regex_match(name, match, std::regex("(?:rows|excerpt|curves|sample) ([^:]+):.*")))
    return of_records(match[1]);
  if (std::regex_match(name, match, std::regex("times (.*)"))) {
    std::string records;
    const std::string pairs = match[1];
    const std::regex pair(R"(: ([a-z0-9-]+))");
    for (auto at = std::sregex_iterator(pairs.begin(), pairs.end(), pair); at != std::sregex_iterator(); ++at)
      records += at->str(1) + " ";
    return of_records(records);
  }
  return of_records(name);
}

}  // namespace

namespace {

bool any_path(const Files& files, const std::string& pattern) {
  const std::regex whole(pattern);
  return std::any_of(files.begin(), files.end(),
                     [&](const File& file) { return std::regex_match(file.path, whole); });
}

}  // namespace

Faults marker_faults(const Files& files) {
  const std::regex open(
      R"(^<!-- generated: ([a-z0-9_-]+( [a-z0-9_-]+)*|(rows|excerpt|times|curves|sample) [^:<>]+:[^<>]+) -->$)");
  Faults faults;
  for (const File& file : files) {
    if (!matches(file.path, R"(\.md$)")) continue;
    const auto lines = lines_of(file.text);
    bool inside = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::smatch match;
      const bool opens = std::regex_match(lines[i], match, open);
      const bool closes = lines[i] == "<!-- /generated -->";
      if (!opens && !closes) {
        if (matches(lines[i], R"(^<!--\s*/?\s*generated)"))
          faults.push_back(place(file, i) + ": a malformed marker");
        continue;
      }
      if (opens == inside) faults.push_back(place(file, i) + ": a marker opens or closes where it cannot");
      inside = opens;
      if (!opens) continue;
      for (const std::string& pattern : sources_of_block(match[1]))
        if (!any_path(files, pattern))
          faults.push_back(place(file, i) + ": no record for the generated block '" + match[1].str() +
                           "': " + pattern);
    }
    if (inside) faults.push_back(file.path + ": a generated block is not closed");
  }
  return faults;
}

Faults subcommand_faults(const Files& files) {
  const File* commands = find(files, "shared/cli/commands.hpp");
  const File* readme = find(files, "README.md");
  if (!commands || !readme) return {"shared/cli/commands.hpp or README.md is missing"};
  const std::regex declaration(R"(void add_(\w+)\(CLI::App)");
  Faults faults;
  auto at = std::sregex_iterator(commands->text.begin(), commands->text.end(), declaration);
  if (at == std::sregex_iterator()) faults.push_back("shared/cli/commands.hpp declares no subcommand");
  for (; at != std::sregex_iterator(); ++at) {
    std::string name = (*at)[1];
    std::replace(name.begin(), name.end(), '_', '-');
    if (!matches(readme->text, ("ladder " + name + "\\b").c_str()))
      faults.push_back("README.md does not name the subcommand `ladder " + name + "`");
  }
  return faults;
}

Faults fast_math_faults(const Files& files) {
  const auto builds = [](const File& file) {
    return matches(file.path, R"((CMakeLists\.txt|\.cmake|CMakePresets\.json)$)");
  };
  return matching_lines(files, builds, R"(-ffast-math|-Ofast|-ffinite-math-only|-funsafe-math)", "fast-math");
}

Faults assert_faults(const Files& files) {
  const auto product = [](const File& file) { return is_cxx(file) && file.path.rfind("tests/", 0) != 0; };
  return matching_lines(files, product, R"(^(([^/]|/[^/])*[^_\w/])?assert\()",
                        "assert() where require() is meant");
}

Faults disabled_test_faults(const Files& files) {
  const auto test = [](const File& file) { return is_cxx(file) && file.path.rfind("tests/", 0) == 0; };
  const std::string tags = "\\[!" + joined("may", "fail") + "\\]|\\[!" + joined("should", "fail") +
                           "\\]|TEST_CASE\\(.*\\[[.](?!.*\\[slow\\])";
  return matching_lines(files, test, tags, "a test that is switched off or may fail");
}

Faults mixed_header_faults(const Files& files) {
  Faults faults;
  for (const File& file : files)
    if (is_cxx(file) && matches(file.text, R"(#include <Eigen/)") &&
        matches(file.text, R"(#include <(cuda|cublas|cooperative_groups))"))
      faults.push_back(file.path + ": Eigen and CUDA in one file");
  return faults;
}

Faults dear_header_faults(const Files& files) {
  struct Dear {
    const char* header;   ///< as between the angle brackets
    const char* allowed;  ///< paths that may include it
  };
  constexpr std::array<Dear, 6> dear = {
      {{R"(nlohmann/.*)", R"(^shared/base/json_text\.cpp$)"},
       {R"(pcre2\.h)", R"(^shared/data/gpt2_pattern\.cpp$)"},
       {R"(CLI/.*)",
        R"(^(shared/cli/(main|options)|tests/cli/test_failing_stage|tests/fuzz/command_line)\.cpp$)"},
       {R"((Eigen|unsupported/Eigen)/.*)", R"(^(stage1_cpu_tensor/|shared/spak/statistics\.cpp$))"},
       {R"(regex)", R"(^tests/.*\.cpp$)"},
       {R"(fmt/(args|chrono|format|ostream|ranges|std)\.h)", R"(\.(cpp|cu)$)"}}};
  Faults faults;
  for (const Dear& one : dear) {
    const auto elsewhere = [&](const File& file) { return is_cxx(file) && !matches(file.path, one.allowed); };
    const Faults found =
        matching_lines(files, elsewhere, std::string(R"(^\s*#\s*include\s*[<"])") + one.header + "[>\"]",
                       "a dear header here");
    faults.insert(faults.end(), found.begin(), found.end());
  }
  return faults;
}

Faults page_length_faults(const Files& files) {
  Faults faults;
  for (const File& file : files) {
    if (!matches(file.path, R"((^|/)README\.md$)")) continue;
    const std::size_t limit = file.path == "README.md" ? 120 : 250, lines = lines_of(file.text).size();
    if (lines > limit)
      faults.push_back(file.path + ": " + std::to_string(lines) + " lines, where " + std::to_string(limit) +
                       " are what a reader takes in");
  }
  return faults;
}

Faults stage_readme_faults(const Files& files) {
  std::set<std::string> stages;
  for (const File& file : files)
    if (matches(file.path, R"(^stage[0-9]_\w+/.*\.(hpp|cpp|cuh|cu)$)"))
      stages.insert(file.path.substr(0, file.path.find('/')));
  Faults faults;
  for (const std::string& stage : stages) {
    const File* readme = find(files, stage + "/README.md");
    if (!readme) {
      faults.push_back(stage + ": no README.md");
      continue;
    }
    const std::array<std::array<const char*, 2>, 5> parts = {
        {{R"(\./ladder )", "a command to run"},
         {R"(diff |[Dd]iffers)", "what differs from the stage below"},
         {R"(<!-- generated: )", "a generated table"},
         {R"(#.*[Ee]xercises)", "exercises"},
         {R"(#.*([Ww]hat comes )?[Nn]ext)", "what comes next"}}};
    for (const auto& [pattern, what] : parts)
      if (!matches(readme->text, pattern)) faults.push_back(readme->path + ": lacks " + what);
  }
  return faults;
}

}  // namespace ladder::house
