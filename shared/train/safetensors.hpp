// safetensors: the file format in which weights travel between stages and to other programs.
//
// Eight bytes (the header's length, little-endian), a JSON header {"NAME": {"dtype", "shape", "data_offsets"}, ...,
// "__metadata__": {string: string}}, then the tensors' bytes, little-endian, row-major, without gaps.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/dtype.hpp"
#include "shared/base/mapped_file.hpp"
#include "shared/base/tensor.hpp"

namespace ladder {

using Metadata = std::map<std::string, std::string>;

/// A tensor as it lies in a mapped file; its bytes are read from the disk when they are looked at.
struct TensorView {
  std::string name, stored;  ///< `stored`: the format's word for its type, "F32"
  std::vector<int> shape;
  std::span<const std::byte> bytes;
};

/// A file, mapped: its header is read and judged, its tensors are there to be looked at. Views must not outlive it.
class SafetensorsFile {
 public:
  /// Throws InputError naming the file, and the tensor where it is about one, for everything that the format forbids:
  /// truncation, trailing bytes, a bad header, a wrong size, gaps, overlaps, names given twice. Types that this program
  /// does not read are no error until such a tensor is asked for.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::string& name() const { return name_; }  ///< the path, for messages
  const Metadata& metadata() const { return metadata_; }
  std::span<const TensorView> tensors() const { return tensors_; }  ///< in the order of their bytes
  const TensorView* find(std::string_view tensor) const;            ///< nullptr where there is none

  /// Throws InputError naming the tensor unless it is F64, F32, F16 or BF16.
  Dtype dtype_of(const TensorView& tensor) const;
  /// The same, of a tensor whose values are going to be used: throws InputError naming its first element that is not a
  /// finite number, too.
  Dtype finite_dtype_of(const TensorView& tensor) const;
  NamedTensor copy(const TensorView& tensor) const;  ///< throws what finite_dtype_of() throws

 private:
  std::string name_;
  MappedFile file_;
  Metadata metadata_;
  std::vector<TensorView> tensors_;
};

/// To be called before `bytes` of tensors are copied out of a file: throws MachineError naming it when the machine has
/// not that much memory left.
void require_memory(std::size_t bytes, const std::string& file);

struct Safetensors {
  TensorList tensors;  ///< in the order of their bytes
  Metadata metadata;
};

/// All of a file, which must hold F64, F32, F16 and BF16 tensors only; throws what SafetensorsFile throws.
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
