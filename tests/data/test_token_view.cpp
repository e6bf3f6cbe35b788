#include <catch2/catch.hpp>

#include <vector>

#include "shared/base/error.hpp"
#include "shared/data/token_view.hpp"
#include "shared/data/windows.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using Ids = std::vector<std::int32_t>;

namespace {

std::uint64_t hash_of(const TokenView& view) {
  Hash64 hash;
  view.add_to(hash);
  return hash.value();
}

}  // namespace

TEST_CASE("a view reads the same tokens from two bytes and from four") {
  const std::vector<std::uint16_t> narrow = {3, 0, 65535, 7};
  const Ids wide = {3, 0, 65535, 7};
  for (const TokenView& view : {TokenView(narrow), TokenView(wide)}) {
    CHECK(view.size() == 4);
    CHECK(view[2] == 65535);
    CHECK(view.copy() == wide);
    CHECK(view.part(1, 2).copy() == Ids{0, 65535});
    CHECK(view.sequence(1, 2).tokens == Ids{0, 65535});
    CHECK(view.sequence(1, 2).targets == Ids{65535, 7});
    CHECK(hash_of(view) == hash_of(TokenView(wide)));
  }
  CHECK(TokenView().empty());
}

TEST_CASE("owned tokens take four bytes only where two do not hold the vocabulary") {
  OwnedTokens narrow(0x10000), wide(0x10001);
  narrow.append(Ids{1, 65535});
  wide.append(Ids{1, 65536});
  narrow.append(2), wide.append(2);
  CHECK(narrow.view().copy() == Ids{1, 65535, 2});
  CHECK(wide.view().copy() == Ids{1, 65536, 2});
  CHECK(narrow.bytes() == 3 * 2);
  CHECK(wide.bytes() == 3 * 4);
}

TEST_CASE("the short way to hash a small number gives the same hash") {
  Hash64 one, other;
  for (std::uint32_t word : {0U, 1U, 255U, 256U, 65535U, 50256U}) {
    one.add(std::uint64_t{word});
    other.add_short(static_cast<std::uint16_t>(word));
    CHECK(one.value() == other.value());
  }
}

TEST_CASE("a window depends on seed, step, index and purpose alone") {
  Ids tokens(1000);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i);
  const auto start = [&](std::uint64_t seed, WindowsFor purpose, std::int64_t step, int index) {
    return Windows(TokenView(tokens), 4, seed, purpose, "text", 1000).draw(step, index).tokens.front();
  };
  const auto first = start(42, WindowsFor::training, 3, 1);
  CHECK(first == start(42, WindowsFor::training, 3, 1));
  CHECK(first != start(43, WindowsFor::training, 3, 1));
  CHECK(first != start(42, WindowsFor::held_out, 3, 1));
  CHECK(first != start(42, WindowsFor::training, 4, 1));
  CHECK(first != start(42, WindowsFor::training, 3, 2));
  CHECK(first != start(42, WindowsFor::training, 3 + (std::int64_t{1} << 32), 1));
  CHECK(first != start(42 + (std::uint64_t{1} << 32), WindowsFor::training, 3, 1));
}

TEST_CASE("a window with a token beyond the vocabulary is refused, and names its place") {
  const Ids tokens = {5, 6, 7, 8};
  const auto draw = [&](int vocab_size, WindowsFor purpose) {
    return Windows(TokenView(tokens), 3, 1, purpose, "file", vocab_size).draw(0, 0);
  };
  CHECK(draw(9, WindowsFor::training).targets == Ids{6, 7, 8});
  CHECK_THROWS_WITH(draw(8, WindowsFor::training),  // a target, behind the last token
                    Contains("file: token 8 at position 3") && Contains("trained on") && Contains("0 to 7"));
  CHECK_THROWS_WITH(draw(5, WindowsFor::held_out), Contains("token 5 at position 0") && Contains("held out"));
}

TEST_CASE("a stream of one window has one, a shorter one none") {
  const Ids tokens = {5, 6, 7};
  CHECK(Windows(TokenView(tokens), 2, 1, WindowsFor::training, "text", 8).draw(9, 9).targets == Ids{6, 7});
  CHECK_THROWS_WITH(Windows(TokenView(tokens), 3, 1, WindowsFor::training, "text", 8),
                    Contains("text: 3 tokens") && Contains("--block-size 3") && Contains("4 tokens"));
}
