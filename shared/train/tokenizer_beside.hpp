// The tokenizer that lies beside weights which do not hold one.
#pragma once

#include <filesystem>
#include <memory>

#include "shared/data/tokenizer.hpp"

namespace ladder {

/// From the folder of the file `weights`; nullptr where none lies there.
std::shared_ptr<const Tokenizer> tokenizer_beside(const std::filesystem::path& weights);

}  // namespace ladder
