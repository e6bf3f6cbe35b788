// Writes the record of what every kernel of stage 3 needs of a multiprocessor, for each architecture of the table.
//
//   tile_resources CUBIN_FOLDER CUOBJDUMP RECORD      (shared/scripts/tile_resources.sh calls it)
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/records/records.hpp"
#include "stage3_tiled_kernels/configs.hpp"
#include "tests/stage3/resources.hpp"

namespace {

using namespace ladder;  // NOLINT(google-build-using-namespace)
namespace fs = std::filesystem;

/// Appends what the command prints. Throws MachineError when it fails.
void append_output(const std::string& command, std::vector<std::string>& lines) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw MachineError("cannot run " + command);
  std::array<char, 4096> part{};
  std::string line;
  while (std::fgets(part.data(), static_cast<int>(part.size()), pipe) != nullptr) {
    line += part.data();
    if (line.back() != '\n') continue;
    line.pop_back();
    lines.push_back(std::move(line));
    line.clear();
  }
  if (pclose(pipe) != 0) throw MachineError("failed: " + command);
}

std::string toolkit_version(const std::string& cuobjdump) {
  std::vector<std::string> lines;
  append_output("'" + cuobjdump + "' --version", lines);
  for (const std::string& line : lines)
    if (const std::size_t at = line.rfind(", V"); at != std::string::npos) return line.substr(at + 3);
  throw MachineError(cuobjdump + " does not say its version");
}

RecordRow row_of(int architecture, const fs::path& folder, const std::string& cuobjdump) {
  RecordRow row{fmt::format("sm_{}", architecture), "stage3-kernels", source_hash("stage3-kernels"), {}};
  row.values["architecture"] = architecture;
  row.values["run_on_hardware"] = architecture == 90;
  row.values["toolkit"] = toolkit_version(cuobjdump);
  row.values["kernels"] = Json::array();
  const std::string ending = fmt::format(".{}.cubin", architecture);
  std::vector<fs::path> cubins;
  for (const auto& item : fs::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    if (name.rfind("launch_", 0) == 0 && name.size() > ending.size() &&
        name.compare(name.size() - ending.size(), ending.size(), ending) == 0)
      cubins.push_back(item.path());
  }
  require(!cubins.empty(), "{}: holds no launch_*{}", folder.string(), ending);
  std::sort(cubins.begin(), cubins.end());
  for (const fs::path& cubin : cubins) {
    std::vector<std::string> lines;
    append_output(fmt::format("'{}' -res-usage '{}' 2>&1", cuobjdump, cubin.string()), lines);
    append_output(fmt::format("'{}' -elf '{}' 2>&1", cuobjdump, cubin.string()), lines);
    for (const KernelResources& kernel : parse_resources(architecture, lines))
      row.values["kernels"].push_back({{"kernel", kernel.kernel},
                                       {"arguments", kernel.arguments},
                                       {"registers", kernel.registers},
                                       {"shared_bytes", kernel.shared_bytes},
                                       {"spilled_bytes", kernel.spilled_bytes},
                                       {"threads", kernel.threads},
                                       {"resident_blocks", resident_blocks(kernel)}});
  }
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    require(argc == 4, "usage: tile_resources CUBIN_FOLDER CUOBJDUMP RECORD");
    const fs::path record_path = argv[3];
    Record record =
        new_record(record_path.stem().string(), "tile_resources",
                   "every kernel compiled with nvcc -std=c++20 -O3 -enable-tile -tilecubin; nothing ran");
    for (int architecture : table::kArchitectures)
      record.rows.push_back(row_of(architecture, argv[1], argv[2]));
    write_record(record_path, record);
    return 0;
  } catch (const MachineError& error) {
    std::fprintf(stderr, "tile_resources: %s\n", error.what());
    return 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tile_resources: %s\n", error.what());
    return 2;
  }
}
