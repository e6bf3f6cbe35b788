// Microgpt in other sizes.
#pragma once

#include "shared/model/config.hpp"

namespace ladder::testing {

/// Of a case's layers, width, heads, kv_heads and block.
template <class Case>
GptConfig micro_model(const Case& c) {
  GptConfig model = find_preset("micro").model;
  model.n_layer = c.layers;
  model.n_embd = c.width;
  model.n_head = c.heads;
  model.n_kv_head = c.kv_heads;
  model.block_size = c.block;
  return model;
}

}  // namespace ladder::testing
