// The house rules applied to this repository.
#include <catch2/catch.hpp>

#include "tests/house/rules.hpp"

using namespace ladder::house;

namespace {

const Files& tree() {
  static const Files files = read_tree(LADDER_SOURCE_DIR);
  return files;
}

void expect_none(const Faults& faults) {
  for (const std::string& fault : faults) UNSCOPED_INFO(fault);
  CHECK(faults.empty());
}

}  // namespace

TEST_CASE("the tree was read") { REQUIRE(tree().size() > 50); }
TEST_CASE("the top level holds only what was agreed on") { expect_none(top_level_faults(tree())); }
TEST_CASE("no source is too long to have one subject") { expect_none(length_faults(tree())); }
TEST_CASE("every kernel has the seven fields of its header") { expect_none(kernel_header_faults(tree())); }
TEST_CASE("nothing is left unfinished") { expect_none(unfinished_faults(tree())); }
TEST_CASE("the checkout stands alone") { expect_none(machine_path_faults(tree())); }
TEST_CASE("every generated block has its source") { expect_none(marker_faults(tree())); }
TEST_CASE("the README names every subcommand") { expect_none(subcommand_faults(tree())); }
TEST_CASE("nothing is built with fast-math") { expect_none(fast_math_faults(tree())); }
TEST_CASE("preconditions are require()") { expect_none(assert_faults(tree())); }
TEST_CASE("no test is switched off") { expect_none(disabled_test_faults(tree())); }
TEST_CASE("Eigen and CUDA never meet in one file") { expect_none(mixed_header_faults(tree())); }
TEST_CASE("dear headers stand where they are needed") { expect_none(dear_header_faults(tree())); }
TEST_CASE("every stage's README has its parts") { expect_none(stage_readme_faults(tree())); }
TEST_CASE("no page drowns its reader") { expect_none(page_length_faults(tree())); }
TEST_CASE("no comment leaves a word alone") { expect_none(lone_word_faults(tree())); }
