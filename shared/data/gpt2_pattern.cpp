#include "shared/data/gpt2_pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// The published pattern. White space is spelled out as Unicode's property of that name, which is what it was published
/// for: PCRE2's \s also takes U+180E.
#define LADDER_WHITE R"(\t-\r\x{85}\p{Z})"
constexpr std::string_view kPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^)" LADDER_WHITE R"(\p{L}\p{N}]+|[)" LADDER_WHITE
    R"(]+(?![^)" LADDER_WHITE R"(])|[)" LADDER_WHITE "]+";
#undef LADDER_WHITE

const PCRE2_UCHAR* units(std::string_view text) { return reinterpret_cast<const PCRE2_UCHAR*>(text.data()); }

struct Pattern {
  pcre2_code* code = nullptr;
  bool compiled = false;  ///< to machine code; otherwise PCRE2 interprets it, and a text takes thrice as long
};

/// Compiled once; as PCRE2 says, any number of threads may match with it. The process keeps it.
const Pattern& pattern() {
  static const Pattern once = [] {
    int error = 0;
    PCRE2_SIZE where = 0;
    Pattern made;
    made.code = pcre2_compile(units(kPattern), kPattern.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED,
                              &error, &where, nullptr);
    if (made.code == nullptr)
      throw MachineError(fmt::format(
          "PCRE2 refuses GPT-2's pattern (error {} at {}): was it built without Unicode?", error, where));
    made.compiled = pcre2_jit_compile(made.code, PCRE2_JIT_COMPLETE) == 0;
    return made;
  }();
  return once;
}

}  // namespace

struct Gpt2Pattern::Match {
  pcre2_match_data* data = pcre2_match_data_create_from_pattern(pattern().code, nullptr);
  ~Match() { pcre2_match_data_free(data); }
};

Gpt2Pattern::Gpt2Pattern() : match_(std::make_unique<Match>()) {
  if (match_->data == nullptr) throw MachineError("not enough memory for PCRE2");
}

Gpt2Pattern::~Gpt2Pattern() = default;

std::size_t Gpt2Pattern::piece_end(std::string_view text, std::size_t begin) {
  const Pattern& with = pattern();
  const int found =
      with.compiled ? pcre2_jit_match(with.code, units(text), text.size(), begin, 0, match_->data, nullptr)
                    : pcre2_match(with.code, units(text), text.size(), begin, PCRE2_NO_UTF_CHECK,
                                  match_->data, nullptr);
  // Every character begins one of the pattern's alternatives, so that there is always a match.
  if (found < 1)
    throw MachineError(fmt::format("PCRE2 finds no end of the piece at byte {} (error {})", begin, found));
  return pcre2_get_ovector_pointer(match_->data)[1];
}

std::size_t Gpt2Pattern::invalid_length(std::string_view bytes) {
  std::size_t length = 0;
  // Four bytes are the longest character: enough to see whether one begins there.
  while (length < bytes.size() && valid_utf8_length(bytes.substr(length, 4)) == 0) ++length;
  return length;
}

}  // namespace ladder
