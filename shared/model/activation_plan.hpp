// The activation plan: every tensor that a step writes, named and placed in one arena before step 0.
//
// A stage allocates the arena once; a step allocates nothing, and a captured step finds every tensor where it was.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/model/ops.hpp"

namespace ladder {

struct ActivationSpec {
  std::string name;
  std::size_t rows, width;
  Dtype dtype;
  std::size_t offset;  ///< bytes from the start of the arena; a multiple of 256

  std::size_t bytes() const { return rows * width * size_of(dtype); }
};

class ActivationPlan {
 public:
  /// Throws MachineError when the arena would be larger than can be addressed.
  void add(std::string name, std::size_t rows, std::size_t width, Dtype dtype);

  const std::vector<ActivationSpec>& specs() const { return specs_; }
  std::size_t bytes() const { return bytes_; }  ///< of the whole arena

  /// Throws InputError when no tensor has that name.
  const ActivationSpec& find(std::string_view name) const;

  /// The tensor `name` in an arena that starts at `arena`; Reference is Act or Stat, by its role.
  template <class Reference>
  Reference in(void* arena, std::string_view name) const {
    const ActivationSpec& spec = find(name);
    return {static_cast<std::byte*>(arena) + spec.offset, spec.dtype};
  }

 private:
  std::vector<ActivationSpec> specs_;
  std::map<std::string, std::size_t, std::less<>> by_name_;  ///< places in specs_: a model asks for each name
  std::size_t bytes_ = 0;
};

}  // namespace ladder
