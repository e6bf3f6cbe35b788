#include "shared/train/safetensors.hpp"

#include <cstdint>

#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

void read(std::string_view bytes) {
  const auto path = folder() / "a.safetensors";
  put(path, bytes);
  may_refuse([&] {
    std::size_t held = 0;
    for (const NamedTensor& tensor : read_safetensors(path).tensors) {
      std::size_t size = 1;
      for (const int extent : tensor.shape) size *= static_cast<std::size_t>(extent);
      expect(tensor.size() == size, "a tensor of another size than its shape");
      for (const double value : tensor.values())
        expect(value == value || value != value, "a value that is none");
      held += tensor.bytes().size();
    }
    expect(held <= bytes.size(), "more values than the file has");
  });
}

std::string file(const std::string& header, std::size_t data) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8)
    bytes.push_back(static_cast<char>(std::uint64_t{header.size()} >> shift));
  return bytes + header + std::string(data, '\x3F');
}

std::vector<std::string> seeds() {
  const std::string w = R"("w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]})";
  return {file("{" + w + "}", 24),
          file("{" + w + R"(, "__metadata__": {"format": "x", "model": "{}"}})", 24),
          file("{" + w + R"(, "h": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]}})", 32),
          file(R"({"h": {"dtype": "F16", "shape": [], "data_offsets": [0, 2]}})", 2),
          file(R"({"d": {"dtype": "F64", "shape": [0, 5], "data_offsets": [0, 0]}})", 0),
          file("{" + w + "," + w + "}", 24),
          file("{" + w + "}", 23),
          file("{}", 0)};
}

}  // namespace

const Target safetensors = {"safetensors", read, seeds};

}  // namespace ladder::fuzz
