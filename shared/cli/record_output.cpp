#include "shared/cli/record_output.hpp"

#include "shared/base/files.hpp"
#include "shared/records/records.hpp"

namespace ladder::cli {

void require_outputs(const std::vector<std::filesystem::path>& inputs, const std::vector<std::string>& files,
                     const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> outputs(files.begin(), files.end());
  for (const std::string& name : names) outputs.push_back(record_file(name));
  require_distinct_outputs(inputs, outputs);
  for (const std::filesystem::path& output : outputs) require_writable_file(output);
}

}  // namespace ladder::cli
