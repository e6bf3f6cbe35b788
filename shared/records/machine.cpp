#include "shared/records/machine.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <thread>
#ifdef __linux__
#include <sched.h>
#endif

#include "shared/base/error.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/process.hpp"
#include "shared/base/shown.hpp"

namespace ladder {
namespace {

/// The text after `key` and `separator` on the first line of `path` that starts with `key`; empty when there is none.
std::string field_of(const char* path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0) continue;
    std::string value = line.substr(line.find(separator) + 1);
    std::erase(value, '"');
    return value.substr(std::min(value.find_first_not_of(" \t"), value.size()));
  }
  return {};
}

int usable_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::string or_unknown(std::string text) { return text.empty() ? "unknown" : text; }

std::string cpu_name() {
  const std::string name = field_of("/proc/cpuinfo", "model name", ':');
  return or_unknown(name.empty() ? output_of({"sysctl", "-n", "machdep.cpu.brand_string"}) : name);
}

std::string os_name() {
  const std::string distribution = field_of("/etc/os-release", "PRETTY_NAME", '=');
  utsname kernel{};
  const std::string release = uname(&kernel) == 0 ? fmt::format("{} {}", kernel.sysname, kernel.release) : "";
  if (distribution.empty()) return or_unknown(release);
  return release.empty() ? distribution : fmt::format("{}, {}", distribution, release);
}

std::string compiler_name() {
#ifdef __clang__
  return fmt::format("clang++ {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace

std::filesystem::path source_folder() {
  // A program that was carried to another machine is started in a copy of its sources.
  if (!std::filesystem::exists(LADDER_BUILT_FROM) && std::filesystem::exists("shared/model/ops.hpp"))
    return std::filesystem::current_path();
  return LADDER_BUILT_FROM;
}

Machine this_machine(Device device) {
  const double bytes =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  const double gib = bytes / (1024.0 * 1024.0 * 1024.0);
  return {cpu_name(), usable_cores(), std::round(gib * 10.0) / 10.0, os_name(),
          gpu_report(device.ordinal).device};
}

Build this_build() {
  Build build{compiler_name(), LADDER_BUILD_FLAGS, "unknown", false};
  // The folder itself must be the top of the checkout: an unpacked archive inside another repository is not that one's.
  if (!std::filesystem::exists(source_folder() / ".git")) return build;
  const std::string folder = source_folder().string();
  build.commit = or_unknown(output_of({"git", "-C", folder, "rev-parse", "HEAD"}));
  // Records that a run has just written change nothing of what it runs.
  build.dirty =
      !output_of({"git", "-C", folder, "status", "--porcelain", "--", ".", ":(exclude)tests/bench/results"})
           .empty();
  return build;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

namespace {
constexpr std::size_t kLongestName =
    200;  ///< of what the system or a file calls a thing; real ones have less
}  // namespace

std::string describe(const Machine& machine) {
  return fmt::format("{}, {} {}, {:.1f} GiB, {}{}", shown(machine.cpu, kLongestName), machine.cores,
                     machine.cores == 1 ? "core" : "cores", machine.memory_gib,
                     shown(machine.os, kLongestName),
                     machine.gpu.empty() ? "" : ", " + shown(machine.gpu, kLongestName).str());
}

std::string describe(const Build& build) {
  return fmt::format("{}, {}, commit {}{}", shown(build.compiler, kLongestName),
                     shown(build.flags, kLongestName), shown(build.commit.substr(0, 12)),
                     build.dirty ? " with changes" : "");
}

Json to_json(const Machine& machine) {
  Json json = {
      {"cpu", machine.cpu}, {"cores", machine.cores}, {"memory_gib", machine.memory_gib}, {"os", machine.os}};
  if (!machine.gpu.empty()) json["gpu"] = machine.gpu;
  return sorted(std::move(json));
}

Json to_json(const Build& build) {
  return sorted({{"compiler", build.compiler},
                 {"flags", build.flags},
                 {"commit", build.commit},
                 {"dirty", build.dirty}});
}

Machine machine_from(const Json& json, std::string_view source) {
  require(json.is_object(), "{} is not an object", source);
  Machine machine{member_of<std::string>(json, "cpu", source), member_of<int>(json, "cores", source),
                  member_of<double>(json, "memory_gib", source), member_of<std::string>(json, "os", source),
                  json.contains("gpu") ? member_of<std::string>(json, "gpu", source) : std::string()};
  require(machine.cores >= 0, "{}: 'cores' is {}", source, machine.cores);
  require(machine.memory_gib >= 0.0 && machine.memory_gib <= 1e9, "{}: 'memory_gib' is {}", source,
          machine.memory_gib);
  return machine;
}

Build build_from(const Json& json, std::string_view source) {
  require(json.is_object(), "{} is not an object", source);
  return {member_of<std::string>(json, "compiler", source), member_of<std::string>(json, "flags", source),
          member_of<std::string>(json, "commit", source), member_of<bool>(json, "dirty", source)};
}

}  // namespace ladder
