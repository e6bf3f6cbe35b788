#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "shared/base/error.hpp"
#include "shared/train/batch_prefetcher.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

/// Step s is one token s everywhere; steps from `breaks_at` on throw. Counts the sequences that were made.
class CountingSource final : public TokenSource {
 public:
  CountingSource(int sequences, int block_size, std::int64_t breaks_at = 1000000)
      : TokenSource(std::make_shared<NumberTokenizer>(2000000), model(block_size), train(sequences)),
        breaks_at_(breaks_at),
        block_size_(static_cast<std::size_t>(block_size)) {}
  std::uint64_t data_hash() const override { return 0; }
  std::string describe() const override { return "numbers"; }
  int made() const { return made_; }

 private:
  static GptConfig model(int block_size) {
    GptConfig config;
    config.block_size = block_size;
    return config;
  }
  static TrainConfig train(int sequences) {
    TrainConfig config;
    config.batch_size = sequences / 2;
    config.grad_accum = 2;
    return config;
  }
  Sequence sequence_of(std::int64_t s, int index, int) const override {
    if (s >= breaks_at_) throw InputError(fmt::format("step {} cannot be made", s));
    ++made_;
    // No two sequences are alike, and not all are full: then the layouts differ, too.
    const std::vector<std::int32_t> tokens(block_size_ - (index == 0 ? 0 : 1),
                                           static_cast<std::int32_t>(1000 * s + index));
    return {tokens, tokens};
  }

  std::int64_t breaks_at_;
  std::size_t block_size_;
  mutable std::atomic<int> made_{0};
};

constexpr int kLarge = 64, kSmall = 2, kBlock = 256;

}  // namespace

TEST_CASE("batches come in order, ahead or not, and are those of the source") {
  for (const int sequences : {kSmall, kLarge}) {
    const CountingSource source(sequences, kBlock);
    BatchPrefetcher batches(source, Layout::padded, Ranks{1, 2}, 3, 40);
    CHECK(batches.makes_ahead() == (sequences == kLarge));
    for (std::int64_t s = 3; s < 40; ++s) {
      const std::vector<Batch> got = batches.next(), expected = source.step(s, Layout::padded, 1, 2);
      REQUIRE(got.size() == 2);
      for (std::size_t g = 0; g < got.size(); ++g) {
        CHECK(got[g].tokens_n == expected[g].tokens_n);
        CHECK(got[g].lengths_b == expected[g].lengths_b);
      }
    }
    CHECK_THROWS_WITH(batches.next(), Contains("step 40") && Contains("last one is 39"));
  }
}

TEST_CASE("the next batch is made while the one before is used, and no more than that one") {
  const CountingSource source(kLarge, kBlock);
  BatchPrefetcher batches(source, Layout::packed, Ranks{}, 0, 100);
  batches.next();
  for (int i = 0; i < 5000 && source.made() < 2 * kLarge; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(source.made() == 2 * kLarge);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(source.made() == 2 * kLarge);
}

TEST_CASE("an error belongs to its step, not to the one before it") {
  for (const int sequences : {kSmall, kLarge}) {
    const CountingSource source(sequences, kBlock, 5);
    BatchPrefetcher batches(source, Layout::packed, Ranks{}, 3, 40);
    CHECK_NOTHROW(batches.next());
    CHECK_NOTHROW(batches.next());
    for (int again = 0; again < 2; ++again) CHECK_THROWS_WITH(batches.next(), Contains("step 5 cannot"));
  }
}

TEST_CASE("a run may stop at any step, and before the first") {
  const CountingSource source(kLarge, kBlock);
  for (int taken = 0; taken < 8; ++taken)
    for (int repeat = 0; repeat < 20; ++repeat) {
      BatchPrefetcher batches(source, Layout::packed, Ranks{}, 0, 7);
      for (int i = 0; i < std::min(taken, 7); ++i) batches.next();
    }
  CHECK_FALSE(BatchPrefetcher(source, Layout::packed, Ranks{}, 7, 7).makes_ahead());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("on a machine without a thread to spare each batch is made when it is asked for") {
  // In a process of its own, which may take no more memory and has used up the stacks that the C library keeps.
  const pid_t child = fork();
  if (child == 0) {
    const CountingSource source(kLarge, kBlock);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit limit = {pages * 4096 + (std::size_t{1} << 20), RLIM_INFINITY};
    if (pages == 0 || setrlimit(RLIMIT_AS, &limit) != 0) _exit(3);
    try {
      for (int i = 0; i < 64; ++i)
        std::thread([] { std::this_thread::sleep_for(std::chrono::minutes(1)); }).detach();
      _exit(4);
    } catch (const std::system_error&) {
    }
    try {
      BatchPrefetcher batches(source, Layout::packed, Ranks{}, 0, 9);
      if (batches.makes_ahead()) _exit(5);
      _exit(batches.next().empty() ? 6 : 0);
    } catch (const std::exception&) {
      _exit(7);
    }
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
