// The commands of `ladder spak`: one file each in this folder, declared here, registered by spak.cpp.
#pragma once

namespace CLI {
class App;
}

namespace ladder::cli {

void add_spak_show(CLI::App& app);
void add_spak_build(CLI::App& app);
void add_spak_check(CLI::App& app);
void add_spak_export(CLI::App& app);
void add_spak_import(CLI::App& app);
void add_spak_ingest(CLI::App& app);
void add_spak_lift(CLI::App& app);
void add_spak_map(CLI::App& app);
void add_spak_tune(CLI::App& app);
void add_spak_crystallize(CLI::App& app);
void add_spak_recommend(CLI::App& app);
void add_spak_verify(CLI::App& app);

}  // namespace ladder::cli
