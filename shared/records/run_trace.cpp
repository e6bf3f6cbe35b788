#include "shared/records/run_trace.hpp"

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"

namespace ladder {
namespace {

constexpr const char* kFormat = "ladder-trace/1";

/// json.at(name) as T, with an error that names file and member.
template <class T>
T member(const Json& json, const char* name, std::string_view source) {
  try {
    return json.at(name).get<T>();
  } catch (const JsonError&) {
    throw InputError(fmt::format("{}: '{}' is missing or of another kind than expected", source, name));
  }
}

}  // namespace

void write_trace(const std::filesystem::path& path, const Trace& trace) {
  const Json json = {{"format", kFormat},
                     {"config", sorted(trace.config)},
                     {"machine", sorted(trace.machine)},
                     {"loss", trace.loss},
                     {"ms", trace.ms},
                     {"samples", trace.samples},
                     {"items", sorted(trace.items)}};
  write_file(path, json.dump(1) + "\n");
}

Trace read_trace(const std::filesystem::path& path) {
  const std::string source = path.string();
  const Json json = Json::try_parse(read_file(path));
  require(json.is_object(), "{}: is not a JSON object: expected a {} file", source, kFormat);
  require(json.value("format", "") == kFormat, "{}: its \"format\" is not \"{}\"", source, kFormat);
  return {member<Json>(json, "config", source),
          member<Json>(json, "machine", source),
          member<std::vector<double>>(json, "loss", source),
          member<std::vector<double>>(json, "ms", source),
          member<std::vector<std::string>>(json, "samples", source),
          member<Json>(json, "items", source)};
}

}  // namespace ladder
