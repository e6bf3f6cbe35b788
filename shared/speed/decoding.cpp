#include "shared/speed/decoding.hpp"

#include <chrono>
#include <cstdint>

#include "shared/base/error.hpp"
#include "shared/speed/race.hpp"

namespace ladder {

std::vector<DecodingRow> measure_decoding(Engine& engine, int rounds) {
  const int block = engine.config().block_size, half = block / 2;
  require(block >= 4, "a block of {} positions is too short to be generated in: give 4 or more", block);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(block));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(engine.config().vocab_size));
  const std::span<const std::int32_t> all = tokens;
  Timing prompt, next, last, whole;
  const auto timed = [](Timing& timing, Decoder& decoder, std::span<const std::int32_t> part) {
    const auto start = std::chrono::steady_clock::now();
    decoder.next(part);
    timing.samples.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  };
  engine.decoder()->next(all);  // the first time, memory is touched and kernels are loaded
  for (int i = 0; i < rounds; ++i) {
    const auto decoder = engine.decoder();
    timed(prompt, *decoder, all.first(static_cast<std::size_t>(half)));
    timed(next, *decoder, all.subspan(static_cast<std::size_t>(half), 1));
    for (std::size_t t = static_cast<std::size_t>(half) + 1; t + 1 < tokens.size(); ++t)
      decoder->next(all.subspan(t, 1));
    timed(last, *decoder, all.last(1));
    timed(whole, *engine.decoder(), all);
  }
  return {{fmt::format("a prompt of {} tokens", half), half, prompt.median()},
          {"the next token", 1, next.median()},
          {fmt::format("token {}, the block's last", block), 1, last.median()},
          {fmt::format("all {} positions again", block), block, whole.median()}};
}

std::vector<RecordRow> record_rows(const std::vector<DecodingRow>& rows, const std::string& sources,
                                   bool hashes) {
  const std::string hash = hashes ? source_hash(sources) : "";
  std::vector<RecordRow> records;
  for (const DecodingRow& row : rows) {
    RecordRow record{row.name, sources, hash, {}};
    record.values = {
        {"seconds", row.seconds}, {"rows", row.rows}, {"times_token", row.seconds / rows.at(1).seconds}};
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace ladder
