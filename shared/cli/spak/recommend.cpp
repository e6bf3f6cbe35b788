// ladder spak recommend: which configuration to take, and which knowledge says so.
#include "shared/spak/recommend.hpp"

#include <fmt/core.h>

#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::cli {

namespace {

struct RecommendFlags {
  std::string file, loop, json;
  std::vector<std::string> set;
};

/// "fact 'best_GEMM' (0.81, inherited from FMHA): t.jsonl:3, t.jsonl:9"
std::string text_of(const spak::Voice& voice) {
  if (voice.kind == "given") return "as set";
  if (voice.kind == "first") return "nothing speaks of it: its first value that is not forbidden";
  std::string details = voice.confidence ? fmt::format("{:.2f}", *voice.confidence) : "no confidence";
  if (!voice.system.empty()) details += ", inherited from " + voice.system;
  if (!voice.expired.empty()) details += ", expired: " + voice.expired;
  if (!voice.contradicted_by.empty()) details += ", contradicted by '" + voice.contradicted_by + "'";
  if (voice.refuted) details += ", refuted when it was measured again";
  std::string evidence;
  for (const std::string& each : voice.evidence) evidence += (evidence.empty() ? ": " : ", ") + each;
  return fmt::format("{} '{}' ({}){}", voice.kind, voice.name, details, evidence);
}

void print(const spak::Recommendation& found) {
  for (const spak::AxisAdvice& advice : found.axes) {
    fmt::print("{} = {}\n    {}\n", shown(advice.axis), shown(spak::value_text(advice.value)),
               shown(text_of(advice.voice), 400));
    for (const spak::PassedOver& each : advice.passed_over)
      fmt::print("    not {}, by {}: {}\n", shown(spak::value_text(each.value)),
                 shown(text_of(each.voice), 300), shown(each.why, 300));
  }
  if (!found.forbidding.empty()) fmt::print("Forbidden here\n");
  for (const spak::Voice& voice : found.forbidding)
    fmt::print("  {}\n    {}\n", shown(voice.condition, 200), shown(text_of(voice), 400));
  if (!found.open.empty()) fmt::print("Not asked, for want of\n");
  for (const spak::Voice& voice : found.open)
    fmt::print("  {}: {} '{}'\n", shown(voice.condition, 200), voice.kind, shown(voice.name, 200));
}

void run_recommend(const RecommendFlags& flags) {
  require_distinct_outputs({flags.file}, {flags.json});
  require_writable_file(flags.json);
  Json set = Json::object();
  for (const std::string& written : flags.set) spak::add_setting(set, written);
  const std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  const spak::EngineeringLoop& loop = loop_of(lineage.front(), flags.loop);
  const spak::Surroundings now = surroundings_of(lineage.front(), loop, flags.file, set);
  const spak::Recommendation found = spak::recommend(lineage, loop, set, now);
  print(found);
  Outputs outputs;
  outputs.write(flags.json, [&] {
    Json json = {{"format", "ladder-spak-recommend/1"}, {"loop", loop.name}, {"set", set}};
    json.update(spak::json_of(found));
    return json.dump(1) + "\n";
  });
  outputs.finish(found.forbidden ? fmt::format("nothing is left that the rules allow: {} forbids {}",
                                               found.forbidden->by, found.forbidden->condition)
                                 : "");
}

}  // namespace

void add_spak_recommend(CLI::App& app) {
  CLI::App& command = add_command(app, "recommend", "which configuration to take, and why");
  const auto flags = std::make_shared<RecommendFlags>();
  add_text(command, "file", flags->file, "the system file").type("FILE.spak").required();
  add_text(command, "--loop", flags->loop, "the loop whose parameters are asked for").type("NAME");
  add_texts(command, "--set", flags->set, "the situation: device=H200 rows=64; an axis that is set is given")
      .type("NAME=VALUE ...");
  add_text(command, "--json", flags->json, "write it as JSON").type("FILE");
  set_footer(command, "Exit code 1 where the rules forbid whatever is left.");
  set_action(command, [flags] { run_recommend(*flags); });
}

}  // namespace ladder::cli
