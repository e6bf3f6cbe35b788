// The name of a run's data in its checkpoint.
#include <catch2/catch.hpp>

#include "shared/base/utf8.hpp"
#include "shared/stages.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/run.hpp"
#include "shared/train/safetensors.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;

TEST_CASE("a checkpoint keeps the name of its data, whatever bytes it is made of") {
  for (const std::string name : {"caf\xe9.txt", "plain.txt", "a\\xe9\n", "\xff"}) {
    const TemporaryFolder folder;
    test::write_text(folder / name, "ann\nbob\n");
    const Run run = prepare_run({}, {}, {folder / name, false, Embedded::names});
    const auto engine = make_engine(1, run.model, {});
    engine->load_parameters(run.initial);
    save_checkpoint(checkpoint_file(folder.path()), make_checkpoint(1, run, *engine, {}));
    CHECK(load_checkpoint(folder.path()).data.path == run.data.path);
    const SafetensorsFile file(checkpoint_file(folder.path()));
    const std::string& text = file.metadata().at("run");
    CHECK(valid_utf8_length(text) == text.size());
  }
}
