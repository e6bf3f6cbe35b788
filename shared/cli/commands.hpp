// The subcommands of the program: one file each in this folder, declared here, registered by main.cpp.
//
// add_X declares X's flags on `app` and sets a callback that runs it. A callback reports failure by throwing one of
// the errors of shared/base/error.hpp; main turns it into one line on stderr and the exit code.
#pragma once

namespace CLI {
class App;
}

namespace ladder::cli {

void add_climb(CLI::App& app);
void add_prepare(CLI::App& app);
void add_train(CLI::App& app);
void add_sample(CLI::App& app);
void add_logits(CLI::App& app);
void add_probe(CLI::App& app);
void add_parity(CLI::App& app);
void add_compare(CLI::App& app);
void add_checklist(CLI::App& app);
void add_speedup(CLI::App& app);
void add_profile(CLI::App& app);
void add_crossover(CLI::App& app);
void add_graph(CLI::App& app);
void add_tile_trace(CLI::App& app);
void add_spak(CLI::App& app);
void add_info(CLI::App& app);
void add_tables(CLI::App& app);

}  // namespace ladder::cli
