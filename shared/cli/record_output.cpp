#include "shared/cli/record_output.hpp"

#include <fmt/core.h>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"

namespace ladder::cli {

void require_outputs(const std::vector<std::filesystem::path>& inputs, const std::vector<std::string>& files,
                     const std::vector<std::string>& names, const std::string& growing) {
  std::vector<std::filesystem::path> outputs(files.begin(), files.end());
  for (const std::string& name : names) outputs.push_back(record_file(name));
  outputs.emplace_back(growing);
  require_distinct_outputs(inputs, outputs);
  outputs.pop_back();
  for (const std::filesystem::path& output : outputs) require_writable_file(output);
  require_growing_file(growing);
}

void require_record_name(const std::string& name, bool written) {
  if (name.empty()) return;
  require(written, "--name {}: it is of a record, and none is written: add --record or --json FILE", name);
  record_file(name);
}

void require_svg(const std::filesystem::path& picture) {
  const std::string extension = picture.extension().string();
  require(extension.empty() || extension == ".svg", "-o {}: it is drawn as SVG: the name must end with .svg",
          picture.string());
}

void keep_record(Outputs& outputs, const Record& record) {
  outputs.try_to([&] {
    const auto path = record_file(record.name);
    write_record(path, record);
    fmt::print("recorded  {}\n", escaped_name(path.string()));
  });
}

void write_records(Outputs& outputs, const std::string& json, bool record_asked, const Record& record) {
  if (!json.empty()) outputs.try_to([&] { write_record(json, record); });
  if (record_asked) keep_record(outputs, record);
}

}  // namespace ladder::cli
