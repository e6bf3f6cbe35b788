#include <array>
#include <cstring>

#include "shared/data/data.hpp"
#include "shared/data/token_files.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

void draw_windows() {
  TokenStream stream = read_stream({folder().string()}, 2);
  GptConfig model;
  model.block_size = 2;
  const int vocab_size = stream.tokenizer->vocab_size();
  const StreamSource source(std::move(stream), model, {});
  for (int step = 0; step < 3; ++step)
    for (const std::int32_t token : source.sequence(step, 0).targets)
      expect(token >= 0 && token < vocab_size, "a window with a token beyond the vocabulary");
}

void read(std::string_view bytes) {
  const std::size_t mark = bytes.find(kMetaMark);
  put(folder() / "train.bin", bytes.substr(0, mark));
  const auto meta = folder() / "meta.json";
  std::error_code ignored;
  if (mark == std::string_view::npos)
    std::filesystem::remove(meta, ignored);
  else
    put(meta, bytes.substr(mark + kMetaMark.size()));
  may_refuse(draw_windows);
}

std::vector<std::string> seeds() {
  std::array<std::int32_t, 256> header = {20240520, 1, 4};
  std::string with_header(sizeof header, '\0');
  std::memcpy(with_header.data(), header.data(), sizeof header);
  const std::string tokens("\1\0\2\0\0\0\1\0", 8), far("\xFF\xFF\2\0\0\0\1\0", 8);
  const std::string characters = R"({"vocab_size": 3, "itos": {"0": "a", "1": "b", "2": "\u00e9"}})";
  const std::string bytes = R"({"vocab_size": 3, "tokens": ["a", "b", "ab"], "merges": ["a b"]})";
  const std::string mark(kMetaMark);
  return {tokens,
          far,
          with_header + tokens,
          with_header + tokens + "x",
          with_header.substr(0, 100),
          tokens + mark + characters,
          far + mark + characters,
          tokens + mark + bytes,
          with_header + tokens + mark + characters};
}

}  // namespace

const Target token_file = {"token_file", read, seeds};

}  // namespace ladder::fuzz
