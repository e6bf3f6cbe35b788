// safetensors: the file format in which weights travel between stages and to other programs.
//
// Eight bytes (the header's length, little-endian), a JSON header {"NAME": {"dtype", "shape", "data_offsets"}, ...,
// "__metadata__": {string: string}}, then the tensors' bytes, little-endian, row-major, without gaps.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "shared/base/dtype.hpp"
#include "shared/base/tensor.hpp"

namespace ladder {

using Metadata = std::map<std::string, std::string>;

struct Safetensors {
  TensorList tensors;  ///< in the order of their bytes
  Metadata metadata;
};

/// Reads F64, F32, F16 and BF16 tensors. Throws InputError naming the file, and the tensor where it is about one, for
/// everything that the format forbids: truncation, trailing bytes, a bad header, a wrong size, gaps, overlaps, names
/// given twice, other types.
Safetensors read_safetensors(const std::filesystem::path& path);

/// One tensor to be written, under a name of its own, without a copy of its values.
struct StoredTensor {
  std::string name;
  const NamedTensor* tensor;
  Dtype dtype;  ///< fp64 or fp32; values are rounded to it
};

/// Writes completely or not at all (see files.hpp). Tensors keep their order.
void write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                       const Metadata& metadata);

}  // namespace ladder
