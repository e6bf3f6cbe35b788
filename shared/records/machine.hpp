// What a figure was measured on and built with: every run record and report carries it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "shared/base/json.hpp"
#include "shared/device/gpu.hpp"

namespace ladder {

struct Machine {
  std::string cpu;  ///< model name as the system tells it
  int cores = 0;    ///< that this process may use
  double memory_gib = 0.0;
  std::string os;   ///< distribution and kernel release
  std::string gpu;  ///< that this program can use, "NVIDIA H200 (sm_90)"; empty where there is none
};

struct Build {
  std::string compiler;  ///< name and version
  std::string flags;     ///< build type and options that decide speed or the last bit
  std::string commit;    ///< of the sources the program was built from; "unknown" outside a git checkout
  bool dirty = false;    ///< those sources differ from the commit
};

/// Of several GPUs, the one that `device` names.
Machine this_machine(Device device = Device::automatic);

/// The commit is asked from git when this is called, in the folder the program was built from.
Build this_build();

/// The folder of the sources that this program was built from; it may be gone or moved.
std::filesystem::path source_folder();

/// Now, in UTC: 2026-11-21T04:00:00Z.
std::string utc_now();

/// One line each, for the heads of tables and reports.
std::string describe(const Machine& machine);
std::string describe(const Build& build);

/// {"cpu", "cores", "memory_gib", "os", and "gpu" where there is one} and {"compiler", "flags", "commit", "dirty"}: no
/// host name, no path, no user.
Json to_json(const Machine& machine);
Json to_json(const Build& build);
/// Throw InputError naming `source` and the key when one is missing or of another kind.
Machine machine_from(const Json& json, std::string_view source);
Build build_from(const Json& json, std::string_view source);

}  // namespace ladder
