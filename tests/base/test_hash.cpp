// Hashes tell apart what differs, also where the bytes in a row are the same.
#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/hash.hpp"

using namespace ladder;

namespace {

std::uint64_t checksum_of(const std::vector<std::string_view>& parts) {
  Checksum64 sum;
  for (const std::string_view part : parts) sum.add(part);
  return sum.value();
}

}  // namespace

TEST_CASE("a checksum tells where one part ends and the next begins") {
  using namespace std::string_view_literals;
  const std::vector<std::vector<std::string_view>> all = {{},
                                                          {""},
                                                          {"", ""},
                                                          {"abcdefghi"},
                                                          {"abcdefgh", "i"},
                                                          {"abcdefghi", ""},
                                                          {"", "abcdefghi"},
                                                          {"abc", "defghi"},
                                                          {"abcdefghi\0"sv},
                                                          {"abcdefgh", "i\0"sv},
                                                          {"abcdefgh"},
                                                          {"abcdefgh\0\0\0\0\0\0\0\0"sv},
                                                          {"\0"sv},
                                                          {"\0\0"sv}};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      CAPTURE(i, j);
      CHECK(checksum_of(all[i]) != checksum_of(all[j]));
    }
}

TEST_CASE("a checksum sees every bit and every pair of words that changed places") {
  const std::string text = "sixteen bytes and a few more";
  const std::uint64_t plain = checksum_of({text});
  CHECK(plain == checksum_of({text}));
  for (std::size_t i = 0; i < 8 * text.size(); ++i) {
    std::string turned = text;
    turned[i / 8] = static_cast<char>(turned[i / 8] ^ (1 << i % 8));
    CAPTURE(i);
    CHECK(checksum_of({turned}) != plain);
  }
  CHECK(checksum_of({text.substr(8, 8) + text.substr(0, 8) + text.substr(16)}) != plain);
}

TEST_CASE("a hash of bytes is FNV-1a's, on every machine") {
  Hash64 hash;
  CHECK(hash.value() == 0xCBF29CE484222325u);
  hash.add("foobar");
  CHECK(hash.value() == 0x85944171F73967E8u);  // of the authors' list of test vectors
  Hash64 word, bytes, pair, four;
  word.add(std::uint64_t{0x0807060504030201u});
  bytes.add("\x01\x02\x03\x04\x05\x06\x07\x08");
  CHECK(word.value() == bytes.value());
  pair.add_short(0xABCD);
  four.add(std::uint64_t{0xABCD});
  CHECK(pair.value() == four.value());
  CHECK(hex64(0xABCD) == "000000000000abcd");
}
