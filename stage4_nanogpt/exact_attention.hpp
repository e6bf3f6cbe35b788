// In tf32 this stage's attention computes in fp32.
//
// The backward pass takes the difference of dout . v and its mean over the keys, delta = dout . out. In trained weights
// both are large and nearly the same, so a product that was rounded to tf32 leaves in the difference an error of its own
// size, and in one direction for a whole row. PyTorch's scaled_dot_product_attention does not round its products of
// floats to tf32 either, whatever linear layers may.
#pragma once

#include <initializer_list>

#include "shared/model/ops.hpp"

namespace ladder::stage4 {

/// The same tensors, for the kernels of fp32: tf32 is a way to multiply, in memory it is fp32.
template <class Role>
Ref<Role> exact(Ref<Role> tensor) {
  if (tensor.dtype == Dtype::tf32) tensor.dtype = Dtype::fp32;
  return tensor;
}

/// An operation as it is asked for; of attention in tf32, as it is computed.
template <class Args>
Args exact_attention(Args args) {
  return args;
}
inline AttentionForward exact_attention(AttentionForward args) {
  for (Act* tensor : {&args.q, &args.k, &args.v, &args.out_nc}) *tensor = exact(*tensor);
  args.lse_hn = exact(args.lse_hn);
  return args;
}
inline AttentionBackward exact_attention(AttentionBackward args) {
  for (Act* tensor : {&args.q, &args.k, &args.v, &args.out_nc, &args.dout_nc, &args.dq, &args.dk, &args.dv})
    *tensor = exact(*tensor);
  args.lse_hn = exact(args.lse_hn);
  return args;
}

}  // namespace ladder::stage4
