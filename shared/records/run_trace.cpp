#include "shared/records/run_trace.hpp"

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"

namespace ladder {
namespace {

constexpr const char* kFormat = "ladder-trace/1";

/// A resumed run has the losses of all its steps, and the rest of those that it took itself.
void require_steps(const char* name, const std::vector<double>& list, const Trace& trace,
                   const std::string& source) {
  require(list.size() <= trace.loss.size(), "{}: '{}' has {} of {} steps", source, name, list.size(),
          trace.loss.size());
}

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
                     {"gradient_norm", numbers_or_texts(trace.gradient_norm)},
                     {"evaluations", sorted(trace.evaluations)}};
  write_file(path, json.dump(1) + "\n");
}

Trace read_trace(const std::filesystem::path& path) {
  const std::string source = path.string();
  const Json json = json_object(read_file(path), source);
  require(member_or<std::string>(json, "format", "", source) == kFormat, "{}: its \"format\" is not \"{}\"",
          source, kFormat);
  Trace trace{
      member_of<Json>(json, "config", source),
      member_of<Json>(json, "machine", source),
      member_of<std::vector<double>>(json, "loss", source),
      member_of<std::vector<double>>(json, "ms", source),
      member_of<std::vector<std::string>>(json, "samples", source),
      member_of<Json>(json, "items", source),
      member_or(json, "learning_rate", std::vector<double>{}, source),
      naming_json(source, "'gradient_norm'",
                  [&] { return doubles_of(member_or(json, "gradient_norm", Json::array(), source)); }),
      member_or(json, "evaluations", Json::array(), source)};
  require_steps("ms", trace.ms, trace, source);
  require_steps("learning_rate", trace.learning_rate, trace, source);
  require_steps("gradient_norm", trace.gradient_norm, trace, source);
  return trace;
}

}  // namespace ladder
