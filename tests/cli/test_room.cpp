// What this machine has no room for: memory and threads. Exit code 3 and one line, at once.
#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <algorithm>

#include "tests/support/refused.hpp"

using namespace ladder;
using namespace ladder::test;
using Catch::Matchers::Contains;

TEST_CASE(
    "a run that memory cannot hold prints its configuration, then one line, and ends with exit code 3") {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"train", "--preset", "gpt2-xl", "--block-size", "256", "--batch-size", "100000"},
           {"train", "--preset", "gpt2-xl", "--block-size", "256", "--batch-size", "100000", "--checkpoint",
            "new"},
           {"train", "--preset", "tiny", "--stage", "4", "--device", "cpu", "--batch-size", "60000000"},
           {"train", "--grad-accum", "2147483647"},
           {"train", "--stage", "0", "--grad-accum", "2147483647"},
       }) {
    const TemporaryFolder folder;
    const test::Outcome outcome = test::run_program(folder.path(), arguments);
    INFO(joined(arguments) << "\nstderr: " << outcome.err << "stdout: " << outcome.out);
    CHECK(outcome.code == 3);
    CHECK_THAT(outcome.err, Catch::Matchers::StartsWith("ladder: out of memory: this run needs about "));
    CHECK_THAT(outcome.err, Contains("GiB are available"));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_THAT(outcome.out, Contains("model     ") && Contains("training  ") && Contains("data      "));
    CHECK_THAT(outcome.out, !Contains("tokens    "));  // the first that reads what memory must hold
    CHECK(entries(folder.path()) == 0);
  }
}

TEST_CASE("comparisons that memory cannot hold are refused before anything is drawn or printed") {
  const std::vector<std::string> told = {"out of memory", "GiB are available"};
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"climb", "--grad-accum", "2147483647"},
           {"parity", "--grad-accum", "2147483647"},
           {"parity", "--preset", "gpt2-xl", "--batch-size", "1000000"},
           {"climb", "--preset", "gpt2-xl", "--batch-size", "1000000"},
           {"speedup", "--size", "small", "--batch-size", "8388607"},
           {"profile", "--stage", "0", "--preset", "small", "--batch-size", "8388607"},
           {"profile", "--stage", "1", "--preset", "small", "--batch-size", "8388607"},
       })
    check_refused({words, told, 3});
}

TEST_CASE("numbers too large to be counted are refused before anything is done") {
  for (const Bad& bad : std::vector<Bad>{
           {{"climb", "--batch-size", "134217728"}, {"--batch-size 134217728", "2^31-1 rows"}},
           {{"parity", "--batch-size", "134217728"}, {"--batch-size 134217728", "2^31-1 rows"}},
           {{"profile", "--batch-size", "134217728"}, {"--batch-size 134217728", "2^31-1 rows"}},
           {{"train", "--stage", "0", "--batch-size", "134217728"}, {"--batch-size 134217728"}},
           {{"train", "--stage", "1", "--batch-size", "134217728"}, {"--batch-size 134217728"}},
           {{"parity", "--threads", "-1"}, {"--threads is -1", "0 to 4096"}},
           {{"parity", "--threads", "1000000000"}, {"--threads is 1000000000", "0 to 4096"}},
           {{"profile", "--threads", "1000000000"}, {"--threads is 1000000000", "0 to 4096"}},
           {{"speedup", "--documents", "9223372036854775807"}, {"--documents", "1 to 1000000000"}},
           {{"train", "--preset", "small", "--eval-every", "1", "--eval-batches", "2147483647"},
            {"--eval-batches 2147483647", "--batch-size 64"}},
       })
    check_refused(bad);
}

// A sanitizer reserves far more addresses than the limit leaves; tests/device injects the same fault there.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("threads that the system does not give are one line with exit code 3, at every stage") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = rlim_t{1} << 30;  // room for the program, not for the stacks of 4096 threads
  for (const char* stage : {"1", "2", "3"}) {
    REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);  // the program inherits it
    check_refused({{"train", "--stage", stage, "--steps", "1", "--threads", "4096"},
                   {"4096 asked for", "started", "--threads N"},
                   3});
    REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
  }
}
#endif
