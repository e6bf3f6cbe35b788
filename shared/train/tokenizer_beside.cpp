#include "shared/train/tokenizer_beside.hpp"

#include <algorithm>

#include "shared/data/bpe.hpp"

namespace ladder {

std::shared_ptr<const Tokenizer> tokenizer_beside(const std::filesystem::path& weights) {
  const std::filesystem::path folder = weights.parent_path();
  std::error_code ignored;
  const auto there = [&](const char* name) { return std::filesystem::exists(folder / name, ignored); };
  if (std::ranges::none_of(kVocabularyFiles, there)) return nullptr;
  return std::make_shared<BpeTokenizer>(read_bpe_vocabulary(folder.empty() ? "." : folder));
}

}  // namespace ladder
