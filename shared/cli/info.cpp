// ladder info: what runs here, and why something does not.
#include <fmt/core.h>

#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/device/gpu.hpp"
#include "shared/stages.hpp"

namespace ladder::cli {
namespace {

std::string dtype_list(const StageInfo& stage) {
  std::string list;
  for (Dtype dtype : stage.dtypes) list += (list.empty() ? "" : " ") + std::string(name_of(dtype));
  return list;
}

/// How a stage runs when it is tried with the smallest model: the only answer that cannot be out of date.
std::string how_it_runs(const StageInfo& stage, Device device) {
  GptConfig smallest;
  smallest.vocab_size = 2;
  smallest.n_embd = 4;
  smallest.n_head = 1;
  smallest.block_size = 2;
  EngineOptions options;
  options.dtype = stage.dtypes.front();
  options.device = device;
  try {
    return make_engine(stage.number, smallest, options)->emulated() ? "its own kernels, emulated on the CPU"
                                                                    : "yes";
  } catch (const MachineError& error) {
    return std::string("no: ") + error.what();
  }
}

Json stage_json(const StageInfo& stage) {
  Json json = {{"number", stage.number},
               {"name", stage.name},
               {"summary", stage.summary},
               {"dtypes", Json::array()},
               {"gpu", stage.gpu}};
  for (Dtype dtype : stage.dtypes) json["dtypes"].push_back(std::string(name_of(dtype)));
  json["runs"] = how_it_runs(stage, Device::automatic);
  if (stage.gpu) json["runs_on_gpu"] = how_it_runs(stage, Device::gpu);
  return json;
}

/// Every GPU that the driver sees, and why one of them cannot be used.
Json gpus_json() {
  Json gpus = Json::array();
  for (int ordinal = 0; ordinal < gpu_count(); ++ordinal) {
    const GpuReport& report = gpu_report(ordinal);
    Json gpu = {{"device", fmt::format("gpu:{}", ordinal)}, {"usable", report.usable}};
    gpu[report.usable ? "name" : "reason"] = report.usable ? report.device : report.reason;
    gpus.push_back(gpu);
  }
  return gpus;
}

void print(const Json& gpus) {
  for (const Json& gpu : gpus) {
    const bool usable = gpu["usable"].get<bool>();
    fmt::print("{:<8} {}{}\n", gpu["device"].get<std::string>(),
               usable ? "" : "no: ", gpu[usable ? "name" : "reason"].get<std::string>());
  }
  if (gpus.empty()) fmt::print("gpu      none: {}\n", gpu_report(0).reason);
}

/// `sources`: a source set whose hash goes into the file, empty for none: programs beside this one write records too.
void run_info(const std::string& path, const std::string& sources) {
  require(sources.empty() || !path.empty(), "--sources goes into a file: add --json FILE");
  require_outputs({}, {path}, {});
  const std::string hash = sources.empty() ? "" : source_hash(sources);
  Json stages_json = Json::array();
  for (const StageInfo& stage : stages()) {
    const Json json = stage_json(stage);
    fmt::print("stage {}  {}: {}\n", stage.number, stage.name, stage.summary);
    fmt::print("         computes in {}; runs here: {}\n", dtype_list(stage),
               json["runs"].get<std::string>());
    if (stage.gpu) fmt::print("         on a GPU: {}\n", json["runs_on_gpu"].get<std::string>());
    stages_json.push_back(json);
  }
  const Json gpus = gpus_json();
  print(gpus);
  const Machine machine = this_machine();
  const Build build = this_build();
  fmt::print("machine  {}\nbuild    {}\n", describe(machine), describe(build));
  Json json = {
      {"stages", stages_json}, {"gpus", gpus}, {"machine", to_json(machine)}, {"build", to_json(build)}};
  if (!sources.empty()) json["sources"] = Json{{"set", sources}, {"hash", hash}};
  Outputs outputs;
  outputs.write_json(path, [&] { return json; });
  outputs.finish();
}

}  // namespace

void add_info(CLI::App& app) {
  const auto path = std::make_shared<std::string>(), sources = std::make_shared<std::string>();
  add_text(app, "--json", *path, "write the same as JSON").type("FILE");
  add_text(app, "--sources", *sources, "with --json: the hash of a source set too, as records carry it")
      .type("SET");
  set_action(app, [path, sources] { run_info(*path, *sources); });
}

}  // namespace ladder::cli
