#include <catch2/catch.hpp>

#include "shared/base/lines.hpp"

using ladder::lines_of;

TEST_CASE("a text's lines, with or without a line end behind the last") {
  using Lines = std::vector<std::string>;
  CHECK(lines_of("").empty());
  CHECK(lines_of("a") == Lines{"a"});
  CHECK(lines_of("a\n") == Lines{"a"});
  CHECK(lines_of("a\n\nb c\r\n") == Lines{"a", "", "b c\r"});
  CHECK(lines_of("\n") == Lines{""});
}
