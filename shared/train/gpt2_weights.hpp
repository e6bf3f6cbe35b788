// GPT-2's weights as other programs write them: Hugging Face's names and layout, and nanoGPT's.
//
//                    Hugging Face                                nanoGPT
//   a layer's        h.0.attn.c_attn.weight [C, 3C]              transformer.h.0.attn.c_attn.weight [3C, C]
//   matrices         (Conv1D: [in, out]), "transformer." or not  ([out, in]), "_orig_mod." before it or not
//   the head         lm_head.weight: absent, or the same values as wte.weight
//   no parameters    h.0.attn.bias, h.0.attn.masked_bias: masks, left aside
//
// Which of the two layouts a file has is seen by the shape of the first c_attn.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/base/tensor.hpp"
#include "shared/model/config.hpp"
#include "shared/train/hf_config.hpp"
#include "shared/train/safetensors.hpp"

namespace ladder {

struct Gpt2Weights {
  GptConfig model;
  TensorList parameters;  ///< as parameter_specs(model) has them, in the file's types
  std::vector<std::string>
      assumed;  ///< what neither file nor `known` say, one clause each, with the flag that does
};

/// Whether a file has one of GPT-2's large tensors under one of its names; which of them are missing, reading says.
bool has_gpt2_names(const SafetensorsFile& file);

/// `given`, by flags, goes before `beside`, which a file beside the weights says and which must be what the tensors are,
/// and that before what the shapes say, which settle the rest; only the number of heads is in no shape: heads of 64,
/// as all that were published have, are assumed where the width has them. Matrices are transposed on their way out of
/// the mapped file. Throws InputError naming the tensor that is missing, of another shape or type, given under two
/// names, or of no parameter, and for a head that is not the embedding; MachineError where the memory is not there.
/// `accept`, if any, is called with the model before its weights are read, and may throw.
Gpt2Weights read_gpt2_weights(const SafetensorsFile& file, const Gpt2Settings& given,
                              const Gpt2Settings& beside = {}, const AcceptModel& accept = {});

}  // namespace ladder
