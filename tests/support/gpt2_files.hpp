// Safetensors files as other programs write them, made byte by byte: GPT-2's weights under both namings, in any type.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/json.hpp"
#include "tests/support/models.hpp"
#include "tests/support/run_program.hpp"

namespace ladder::testing {

struct RawTensor {
  std::string name, stored;
  std::vector<int> shape;
  std::string bytes;
};
using RawTensors = std::vector<RawTensor>;

inline std::string file_bytes(const RawTensors& tensors, const Json& metadata = Json::object()) {
  Json header = {{"__metadata__", metadata}};
  std::string data;
  for (const RawTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.stored},
                           {"shape", tensor.shape},
                           {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  const std::string text = header.dump();
  std::string prefix(8, '\0');
  const std::uint64_t size = text.size();
  std::memcpy(prefix.data(), &size, 8);
  return prefix + text + data;
}

/// "F32" -> fp32, ...
inline Dtype dtype_named(const std::string& stored) {
  if (stored == "F64") return Dtype::fp64;
  if (stored == "F16") return Dtype::fp16;
  return stored == "BF16" ? Dtype::bf16 : Dtype::fp32;
}

inline RawTensor raw(const std::string& name, const std::vector<int>& shape,
                     const std::vector<double>& values, const std::string& stored = "F32") {
  RawTensor tensor{name, stored, shape, std::string(values.size() * size_of(dtype_named(stored)), '\0')};
  encode(dtype_named(stored), values, tensor.bytes.data());
  return tensor;
}

/// GPT-2 of 2 layers, width 8, 2 heads, 6 positions and 11 tokens.
inline GptConfig small_gpt2(bool bias = true) {
  GptConfig config = model_of(2, 8, 2, 0, 6);
  config.vocab_size = 11;
  config.architecture = Architecture::gpt2;
  config.bias = bias;
  return config;
}

/// Of values that every type holds exactly, so that types can be compared by equality.
inline TensorList gpt2_parameters(const GptConfig& config) {
  TensorList tensors = random_parameters(config, 1.0);
  for (NamedTensor& tensor : tensors)
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, rounded_to(Dtype::bf16, tensor[i] * 0.5));
  for (NamedTensor& tensor : tensors)
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, rounded_to(Dtype::fp16, tensor[i]));
  return tensors;
}

/// nanoGPT's naming and layout: the model's own, with `before` in front.
inline RawTensors as_nanogpt(const TensorList& parameters, const std::string& before = "",
                             const std::string& stored = "F32") {
  RawTensors tensors;
  for (const NamedTensor& tensor : parameters)
    tensors.push_back(raw(before + tensor.name, tensor.shape, tensor.values(), stored));
  return tensors;
}

/// Hugging Face's: a layer's matrices are [in, out], and `before` stands in front of "h.0...".
inline RawTensors as_hugging_face(const TensorList& parameters, const std::string& before = "",
                                  const std::string& stored = "F32") {
  RawTensors tensors;
  for (const NamedTensor& tensor : parameters) {
    const std::string name = tensor.name.substr(std::string("transformer.").size());
    std::vector<double> values = tensor.values();
    std::vector<int> shape = tensor.shape;
    if (shape.size() == 2 && name[0] == 'h') {
      const auto rows = static_cast<std::size_t>(shape[0]), columns = static_cast<std::size_t>(shape[1]);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) values[c * rows + r] = tensor[r * columns + c];
      shape = {shape[1], shape[0]};
    }
    tensors.push_back(raw(before + name, shape, values, stored));
  }
  return tensors;
}

inline RawTensor& find(RawTensors& tensors, const std::string& name) {
  for (RawTensor& tensor : tensors)
    if (tensor.name == name) return tensor;
  throw std::runtime_error("the test has no tensor " + name);
}

}  // namespace ladder::testing
