#include "shared/cli/gpt2_section.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "shared/cli/standard_streams.hpp"
#include "shared/data/token_files.hpp"

namespace ladder::cli {
namespace {

/// Positions of the longest window that the held-out part has room for.
int longest_block(const DataOptions& data, int wanted) {
  const std::size_t held_out = stream_of_text(read_text(data), source_name(data)).held_out.size();
  const auto room = static_cast<std::int64_t>(held_out) - 1;  // a window's last token is only a target
  return static_cast<int>(std::min<std::int64_t>(room, wanted));
}

}  // namespace

std::optional<RunSettings> gpt2_section(const RunFlags& flags) {
  RunFlags gpt2 = flags;
  gpt2.preset = "tiny";
  RunSettings settings = resolve_run(gpt2);
  if (flags.model.flags.contains("--block-size") || may_be_token_files(settings.data.path)) return settings;
  const int block = longest_block(settings.data, settings.model.block_size);
  if (block == settings.model.block_size) return settings;
  const std::string text = source_name(settings.data);
  if (block < 1) {
    notice(text + ": too short for GPT-2, which is left out");
    return std::nullopt;
  }
  notice(fmt::format("{}: GPT-2 gets windows of {} positions: the text's last tenth has no {}", text, block,
                     settings.model.block_size + 1));
  settings.model.block_size = block;
  return settings;
}

}  // namespace ladder::cli
