// ladder spak: system files, which keep what was learnt while tuning kernels.
#include "shared/base/error.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/spak/verbs.hpp"

namespace ladder::cli {

void add_spak(CLI::App& app) {
  add_spak_show(app);
  add_spak_check(app);
  add_spak_ingest(app);
  add_spak_tune(app);
  add_spak_crystallize(app);
  add_spak_recommend(app);
  add_spak_verify(app);
  add_spak_build(app);
  add_spak_map(app);
  add_spak_lift(app);
  add_spak_export(app);
  add_spak_import(app);
  set_action(app, [&app] {
    require(calls_command(app), "ladder spak: a command is needed (ladder spak --help lists them)");
  });
}

}  // namespace ladder::cli
