// Calls of the program that it must refuse, in a folder of files that they may name.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/run_program.hpp"
#include "tests/support/small_bpe.hpp"

namespace ladder::test {

/// A call of the program that is to be refused.
struct Bad {
  std::vector<std::string> arguments;
  std::vector<std::string> named;  ///< parts of the message
  int code = 2;
};

inline std::size_t entries(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    count += entry.exists() ? 1 : 0;
  return count;
}

inline std::string joined(const std::vector<std::string>& words) {
  std::string line = "ladder";
  for (const std::string& word : words) line += " " + word;
  return line;
}

/// The files that the cases below name.
inline void fill(const TemporaryFolder& folder) {
  write_text(folder / "empty", "");
  write_text(folder / "blank", "\n \n");
  write_text(folder / "latin", "ann\nbob\nz\xEB\n");
  write_text(folder / "plain", "ann\nbob\n");
  std::filesystem::create_directory(folder / "folder");
  write_text(folder / "one", "x");
  write_text(folder / "odd.bin", "abc");
  std::filesystem::create_directories(folder / "taken/val.bin");
  BpeTexts bpe = bpe_texts({{"a", "n"}});
  bpe.write(folder / "bpe");
  BpeTexts{bpe.tokens, ""}.write(folder / "unmerged");
  BpeTexts{bpe.tokens, "#version: 0.2\na \xEB\n"}.write(folder / "latin-merges");
  bpe.tokens.resize(bpe.tokens.size() / 2);
  bpe.write(folder / "cut");
  std::filesystem::create_directory(folder / "half");
  write_text(folder / "half/merges.txt", bpe.merges);
}

/// One line on stderr that names these things, nothing on stdout, no file made or left.
inline void check_refused(const Bad& bad) {
  const TemporaryFolder folder;
  fill(folder);
  const std::size_t before = entries(folder.path());
  const Outcome outcome = run_program(folder.path(), bad.arguments);
  INFO(joined(bad.arguments) << "\nstderr: " << outcome.err << "stdout: " << outcome.out);
  CHECK(outcome.code == bad.code);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK_THAT(outcome.err, Catch::Matchers::StartsWith("ladder: "));
  for (const std::string& part : bad.named) CHECK_THAT(outcome.err, Catch::Matchers::Contains(part));
  CHECK(outcome.out.empty());
  CHECK(entries(folder.path()) == before);
}

}  // namespace ladder::test
