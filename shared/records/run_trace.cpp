#include "shared/records/run_trace.hpp"

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"

namespace ladder {
namespace {

constexpr const char* kFormat = "ladder-trace/1";

}  // namespace

void write_trace(const std::filesystem::path& path, const Trace& trace) {
  const Json json = {{"format", kFormat},
                     {"config", sorted(trace.config)},
                     {"machine", sorted(trace.machine)},
                     {"loss", trace.loss},
                     {"ms", trace.ms},
                     {"samples", trace.samples},
                     {"items", sorted(trace.items)},
                     {"learning_rate", trace.learning_rate},
                     {"gradient_norm", trace.gradient_norm},
                     {"evaluations", sorted(trace.evaluations)}};
  write_file(path, json.dump(1) + "\n");
}

Trace read_trace(const std::filesystem::path& path) {
  const std::string source = path.string();
  const Json json = Json::try_parse(read_file(path));
  require(json.is_object(), "{}: is not a JSON object: expected a {} file", source, kFormat);
  require(json.value("format", "") == kFormat, "{}: its \"format\" is not \"{}\"", source, kFormat);
  return {member_of<Json>(json, "config", source),
          member_of<Json>(json, "machine", source),
          member_of<std::vector<double>>(json, "loss", source),
          member_of<std::vector<double>>(json, "ms", source),
          member_of<std::vector<std::string>>(json, "samples", source),
          member_of<Json>(json, "items", source),
          json.value("learning_rate", std::vector<double>{}),
          json.value("gradient_norm", std::vector<double>{}),
          json.value("evaluations", Json::array())};
}

}  // namespace ladder
