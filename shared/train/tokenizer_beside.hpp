// The tokenizer that lies beside weights which do not hold one.
#pragma once

#include <filesystem>
#include <memory>

#include "shared/data/tokenizer.hpp"

namespace ladder {

/// GPT-2's vocabulary (bpe_files) from the folder of the file `weights`; nullptr where neither of its files lies there.
/// Throws what read_bpe_vocabulary throws where one does.
std::shared_ptr<const Tokenizer> tokenizer_beside(const std::filesystem::path& weights);

}  // namespace ladder
