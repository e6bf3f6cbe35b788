// The call of the script that trains in PyTorch: which card it is shown.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/temporary_folder.hpp"
#include "shared/parity/pytorch_training.hpp"
#include "shared/train/run.hpp"

using namespace ladder;

namespace {

constexpr const char* kList = "CUDA_VISIBLE_DEVICES";

/// The list of cards in this program's environment, for as long as it lives.
class Cards {
 public:
  explicit Cards(const char* list) {
    if (const char* now = getenv(kList); now != nullptr) before_ = now;
    set(list);
  }
  Cards(const Cards&) = delete;
  Cards& operator=(const Cards&) = delete;
  ~Cards() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static void set(const char* list) { list == nullptr ? unsetenv(kList) : setenv(kList, list, 1); }
  std::optional<std::string> before_;
};

/// What the call adds to its environment for card `ordinal`; "if there is one", so that no machine needs it.
std::vector<std::string> variables_for(int ordinal) {
  const Preset& tiny = find_preset("tiny");
  const Run run = prepare_run(tiny.model, tiny.train, {"", tiny.character_stream, tiny.embedded});
  const TemporaryFolder folder;
  const Device card{Device::Kind::automatic, ordinal};
  return pytorch_call(run, {Dtype::fp32, card, 1}, folder.path()).variables;
}

}  // namespace

TEST_CASE("PyTorch is shown the card that the program counts by that number, and for the first one nothing") {
  const auto shown = [](const char* card) {
    return std::vector<std::string>{std::string(kList) + "=" + card};
  };
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    const Cards cards(none);
    CHECK(variables_for(0).empty());
    CHECK(variables_for(1) == shown("1"));
  }
  const Cards cards("7,GPU-5,3");
  CHECK(variables_for(0).empty());
  CHECK(variables_for(1) == shown("GPU-5"));
  CHECK(variables_for(2) == shown("3"));
}
