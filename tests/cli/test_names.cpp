#include <catch2/catch.hpp>

#include "shared/cli/names.hpp"

using namespace ladder::cli;

TEST_CASE("edit distances of known pairs") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "abc") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("trian", "train") == 1);  // neighbours swapped
  CHECK(edit_distance("ca", "abc") == 3);       // the optimal string alignment distance, not Damerau's 2
  CHECK(edit_distance("steps", "step") == 1);
}

TEST_CASE("the nearest name is suggested, and none when all are far") {
  const std::vector<std::string> names = {"train", "sample", "speedup", "info"};
  CHECK(nearest_name("trian", names) == "train");
  CHECK(nearest_name("sampel", names) == "sample");
  CHECK(nearest_name("spe", names) == "speedup");
  CHECK(nearest_name("zzzzzzzz", names).empty());
  CHECK(nearest_name("train", {}).empty());
  CHECK(suggestion("inof", names) == "; did you mean info?");
  CHECK(suggestion("qqqqqq", names).empty());
}

TEST_CASE("of names as near as each other the first is suggested, and a prefix needs three letters") {
  const std::vector<std::string> names = {"bat", "cat", "probability"};
  CHECK(nearest_name("aat", names) == "bat");
  CHECK(nearest_name("pro", names) == "probability");
  CHECK(nearest_name("pr", names).empty());
  CHECK(nearest_name("probab", names) == "probability");
}
