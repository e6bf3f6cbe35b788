// What somebody types: every subcommand's flags, read by its parser and checked by what reads each flag. Nothing runs.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "shared/cli/commands.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

using Add = void (*)(CLI::App&);

const std::vector<std::pair<const char*, Add>>& commands() {
  using namespace cli;
  static const std::vector<std::pair<const char*, Add>> all = {
      {"climb", add_climb},     {"prepare", add_prepare},       {"train", add_train},
      {"sample", add_sample},   {"logits", add_logits},         {"probe", add_probe},
      {"parity", add_parity},   {"compare", add_compare},       {"checklist", add_checklist},
      {"speedup", add_speedup}, {"profile", add_profile},       {"crossover", add_crossover},
      {"graph", add_graph},     {"tile-trace", add_tile_trace}, {"info", add_info},
      {"tables", add_tables}};
  return all;
}

/// Words, with a byte 0 between them as the system hands them over.
std::vector<std::string> words_of(std::string_view bytes) {
  std::vector<std::string> words;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\0');
    words.emplace_back(bytes.substr(0, end));
    bytes = end == std::string_view::npos ? std::string_view() : bytes.substr(end + 1);
  }
  return words;
}

void read(std::string_view bytes) {
  CLI::App app("", "ladder");
  for (const auto& [name, add] : commands()) add(*app.add_subcommand(name));
  app.parse_complete_callback(
      [] { throw CLI::Success(); });  // before any action, which holds its command's flags
  std::vector<std::string> words = words_of(bytes);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  may_refuse([&] {
    try {
      app.parse(words);
    } catch (const CLI::Error&) {  // refused, or --help
    }
  });
}

std::string line(std::initializer_list<std::string_view> words) {
  std::string bytes;
  for (const std::string_view word : words) (bytes += word) += '\0';
  return bytes;
}

std::vector<std::string> seeds() {
  return {line({"train", "--stage", "1", "--n-layer", "2", "--lr", "1e-3", "--steps=3", "--dtype", "fp32"}),
          line({"sample", "--weights", "w.st", "--prompt", "\u00e9", "--top-k", "3", "--greedy"}),
          line({"logits", "--weights", "w.st", "--tokens", "1,2,3"}),
          line({"graph", "a*b", "--values", "a=1,b=2", "-o", "g.dot"}),
          line({"speedup", "--size", "micro", "--rounds", "3", "--device", "cpu"}),
          line({"crossover", "--rounds", "2", "--patience", "1.5"}),
          line({"tile-trace", "--block", "0"}),
          line({"train", "--help"}),
          line({"parity", "--level", "all", "--from", "0", "--to", "18446744073709551617"})};
}

}  // namespace

const Target command_line = {"command_line", read, seeds};

}  // namespace ladder::fuzz
